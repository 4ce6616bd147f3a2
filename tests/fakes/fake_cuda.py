"""A machine with a simulated NVIDIA driver, or without one: modules that stand for pycuda and cuda-bindings."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from fake_device import ContractViolation, Simulation
from fake_graphs import graph_module
from fake_pycuda import Facts, driver_module

from cmsn_runtime.backends.tensorrt import cuda as cuda_module

__all__ = ["ContractViolation", "Machine", "process_on"]


class Machine(Simulation):
    """One process on one machine.

    driver: whether libcuda is there. devices: GPUs; none is possible. integrated: as on a Jetson.
    graphs: whether cuda-bindings is installed. capture_fails, instantiate_fails: whether these calls of it do.
    """

    def __init__(
        self,
        *,
        devices: int = 1,
        name: str = "Fake GPU",
        capability: tuple[int, int] = (9, 0),
        integrated: bool = False,
        multiprocessors: int = 8,
        memory_bytes: int = 1 << 30,
        driver: bool = True,
        graphs: bool = True,
        capture_fails: bool = False,
        instantiate_fails: bool = False,
    ) -> None:
        super().__init__(memory_bytes)
        self.facts = Facts(
            devices=devices,
            name=name,
            capability=capability,
            integrated=integrated,
            multiprocessors=multiprocessors,
        )
        self.driver = driver
        self.has_gpu = driver and devices > 0
        self._graph_library = graphs
        self._capture_fails = capture_fails
        self._instantiate_fails = instantiate_fails

    def modules(self) -> dict[str, ModuleType]:
        """For sys.modules, by name. Without a driver pycuda is there and pycuda.driver is not."""
        pycuda = _package("pycuda")
        modules = {"pycuda": pycuda}
        if self.driver:
            modules["pycuda.driver"] = vars(pycuda)["driver"] = driver_module(self, self.facts)
        if self._graph_library:
            bindings = graph_module(self, end_fails=self._capture_fails, instantiate_fails=self._instantiate_fails)
            modules |= {"cuda": _package("cuda"), "cuda.bindings": _package("cuda.bindings")}
            modules["cuda.bindings.driver"] = vars(modules["cuda.bindings"])["driver"] = bindings
            vars(modules["cuda"])["bindings"] = modules["cuda.bindings"]
        return modules

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the modules where imports find them; what this machine lacks cannot be imported, installed or not."""
        for name in ("pycuda.driver", "pycuda._driver", "pycuda.autoinit"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        for name in ("cuda", "cuda.bindings", "cuda.bindings.driver"):
            monkeypatch.setitem(sys.modules, name, None)
        for name, module in self.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        if not self.driver:
            monkeypatch.setattr(sys, "meta_path", [_NoDriver(), *sys.meta_path])

    def leftovers(self) -> list[str]:
        """Everything that was not given back."""
        gc.collect()
        found = [f"a context is still pushed in thread {name}" for name in self.left_pushed()]
        found += [f"the primary context of device {index} is retained" for index, n in self.references.items() if n]
        found += [f"{block} was not freed" for block in self.blocks.values()]
        found += [f"stream {handle:#x} was not destroyed" for handle in self.queues]
        found += [f"{self.events} events were not destroyed"] if self.events else []
        found += [f"graph {graph.handle:#x} was not destroyed" for graph in self.graphs if graph.alive]
        return found

    def check_clean(self, *, contexts: bool = True) -> None:
        """Nothing broke the contract, and everything was given back. contexts: primary contexts too."""
        left = [line for line in self.leftovers() if contexts or "primary context" not in line]
        wrong = [*self.violations, *self.damaged_graves(), *left]
        assert not wrong, "\n".join(wrong)


@contextmanager
def process_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """This process on that machine; at the end everything must be given back, and nothing done wrong."""
    cuda_module._primary_context.cache_clear()
    machine.install(monkeypatch)
    yield machine
    machine.check_clean(contexts=False)
    cuda_module._primary_context.cache_clear()


class _NoDriver(MetaPathFinder):
    """Imports fail as pycuda's do where libcuda is missing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in ("pycuda.driver", "pycuda._driver", "pycuda.autoinit"):
            raise ImportError("libcuda.so.1: cannot open shared object file: No such file or directory", name=fullname)
        return None


def _package(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []
    return module
