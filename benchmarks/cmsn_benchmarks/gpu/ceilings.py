"""The ceilings of this GPU, as `cmsn bench` measures them, and by torch where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from cmsn_benchmarks.device.ceilings import measure_ceilings
from cmsn_benchmarks.device.libraries import Library, OnnxRuntimeLibrary, Repeatable, TensorRTLibrary
from cmsn_benchmarks.gpu.stacks import StackName

_COPIED = 16  # bytes copied per element of a matrix


class TorchLibrary:
    """torch on a device, which has FP16 only on CUDA: on CPUs it takes forever."""

    def __init__(self, device: str) -> None:
        self.name = "torch"
        self.precisions = frozenset({"fp32", "fp16"} if device == "cuda" else {"fp32"})
        self._device = device

    @contextmanager
    def product(self, precision: str, side: int) -> Iterator[Repeatable]:
        """See Library."""
        import torch

        dtype = torch.float16 if precision == "fp16" else torch.float32
        with torch.inference_mode():
            left, right = (torch.randn(side, side, device=self._device, dtype=dtype) for _ in range(2))
            product = torch.empty_like(left)
            yield Repeatable(lambda: torch.matmul(left, right, out=product), self._wait)

    @contextmanager
    def copy(self, nbytes: int) -> Iterator[Repeatable]:
        """See Library."""
        import torch

        source = torch.randint(0, 256, (nbytes,), device=self._device, dtype=torch.uint8)
        target = torch.empty_like(source)
        yield Repeatable(lambda: target.copy_(source), self._wait)

    def _wait(self) -> None:
        import torch

        if self._device == "cuda":
            torch.cuda.synchronize()


def gpu_ceilings(found: set[StackName], *, device: str, side: int) -> dict[str, Any]:
    """Ceilings by every stack that is there, the best of which counts: FP16 on CUDA, FP32 elsewhere. Empty without any.

    side: number of rows of the square matrices.
    """
    libraries: list[Library] = []
    if "torch" in found or (device != "cuda" and find_spec("torch") is not None):
        libraries.append(TorchLibrary(device))
    if device == "cuda":
        libraries += [TensorRTLibrary()] if "builder" in found else []
        libraries += [OnnxRuntimeLibrary("cuda")] if "ort-cuda" in found else []
    if not libraries:
        return {}
    precision = "fp16" if device == "cuda" else "fp32"
    return asdict(measure_ceilings(libraries, [precision], sides=[side], nbytes=_COPIED * side**2))


def product_tflops(ceilings: dict[str, Any]) -> float | None:
    """That of the report; None where it was not measured."""
    rates = [product["operations_per_second"] for product in ceilings.get("products", {}).values()]
    return max(rates) / 1e12 if rates else None
