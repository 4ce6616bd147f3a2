"""The operations that ceilings are measured with, on each library that a backend computes with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from cmsn_benchmarks.device.product_graph import INPUT, OUTPUT, pass_graph, product_graph
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.openvino.library import CPU, capabilities, core, is_installed
from cmsn_runtime.backends.shapes import Shape

_FLOAT_BYTES = 4


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Repeatable:
    """An operation on memory that is there. run: begins it. wait: until all that began are done."""

    run: Callable[[], object]
    wait: Callable[[], object] = _nothing


class Library(Protocol):
    """What can multiply and copy. name: for people. precisions: those in which it multiplies."""

    name: str
    precisions: frozenset[str]

    def product(self, precision: str, side: int) -> AbstractContextManager[Repeatable]:
        """A square matrix of so many rows times another."""
        ...

    def copy(self, nbytes: int) -> AbstractContextManager[Repeatable]:
        """So many bytes, each read once and written once."""
        ...


class OnnxRuntimeLibrary:
    """ONNX Runtime with a number of threads, or on CUDA; FP16 only there: CPUs compute it in FP32."""

    def __init__(self, kind: Literal["cpu", "cuda"], threads: int = 1) -> None:
        self.name = "ONNX Runtime"
        self.precisions = frozenset({"fp32"} if kind == "cpu" else {"fp32", "fp16"})
        self._provider = Provider(kind)
        self._threads = threads

    @contextmanager
    def product(self, precision: str, side: int) -> Iterator[Repeatable]:
        """See Library."""
        dtype = np.float16 if precision == "fp16" else np.float32
        yield self._bound(product_graph(side, precision), np.ones((side, side), dtype))

    @contextmanager
    def copy(self, nbytes: int) -> Iterator[Repeatable]:
        """See Library."""
        if self._provider.device is None:
            with copied_by_threads(nbytes, self._threads) as copying:
                yield copying
            return
        values = nbytes // _FLOAT_BYTES
        yield self._bound(pass_graph(values), np.ones(values, np.float32))

    def _bound(self, graph: bytes, value: npt.NDArray[Any]) -> Repeatable:
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4
        self._provider.prepare()
        session = onnxruntime.InferenceSession(graph, options, providers=self._provider.listed("product"))
        self._provider.check(session, "product")
        device = self._provider.device or "cpu"
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value, device, 0) for _ in range(2)]
        binding = session.io_binding()
        binding.bind_ortvalue_input(INPUT, values[0])
        binding.bind_ortvalue_output(OUTPUT, values[1])
        return Repeatable(lambda: session.run_with_iobinding(binding), binding.synchronize_outputs)


class OpenVinoLibrary:
    """OpenVINO on the CPU with a number of threads, in the precisions that the processor has."""

    def __init__(self, threads: int) -> None:
        self.name = "OpenVINO"
        self.precisions = frozenset(name.lower() for name in capabilities()) & {"fp32", "bf16", "fp16", "int8"}
        self._threads = threads

    @contextmanager
    def product(self, precision: str, side: int) -> Iterator[Repeatable]:
        """See Library. BF16 and FP16 are hints on a graph in FP32, as for the backend."""
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"bf16": "bf16", "fp16": "f16"}.get(precision, "f32"),
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        model = core().read_model(product_graph(side, "int8" if precision == "int8" else "fp32"))
        request = core().compile_model(model, CPU, options).create_infer_request()
        request.get_tensor(INPUT).data[...] = 1
        yield Repeatable(request.infer)

    def copy(self, nbytes: int) -> AbstractContextManager[Repeatable]:
        """See Library."""
        return copied_by_threads(nbytes, self._threads)


class TensorRTLibrary:
    """TensorRT with its builder; the product is an engine of one layer."""

    def __init__(self) -> None:
        self.name = "TensorRT"
        self.precisions = frozenset({"fp32", "fp16"})

    @contextmanager
    def product(self, precision: str, side: int) -> Iterator[Repeatable]:
        """See Library."""
        from cmsn_benchmarks.device.loaded_engine import build_and_load

        shape: Shape = (side, side)
        graph, shapes = product_graph(side, precision), {INPUT: (shape, shape, shape)}
        with build_and_load(graph, shapes, graph="product", precision=precision, outputs={OUTPUT: shape}) as engine:
            engine.run({INPUT: np.ones(shape, np.float16 if precision == "fp16" else np.float32)}, [shape])
            with engine.device.current():
                yield Repeatable(engine.again, engine.device.synchronize)

    @contextmanager
    def copy(self, nbytes: int) -> Iterator[Repeatable]:
        """See Library."""
        from cmsn_runtime.backends.tensorrt.cuda import Device

        device = Device()
        try:
            with device.current():
                source, target = (device.memory(nbytes) for _ in range(2))
                source.clear()
                yield Repeatable(lambda: device.copy(target.address, source.address, nbytes), device.synchronize)
                for memory in (source, target):
                    memory.free()
        finally:
            device.close()


@contextmanager
def copied_by_threads(nbytes: int, threads: int) -> Iterator[Repeatable]:
    """numpy's copy, each thread with its part; numpy lets go of the interpreter meanwhile."""
    source, target = np.ones(nbytes, np.uint8), np.ones(nbytes, np.uint8)
    bounds = [nbytes * index // threads for index in range(threads + 1)]
    parts = [slice(begin, end) for begin, end in itertools.pairwise(bounds)]
    with ThreadPoolExecutor(threads) as pool:
        yield Repeatable(lambda: list(pool.map(lambda part: np.copyto(target[part], source[part]), parts)))


def libraries_of(arithmetic: Arithmetic) -> list[Library]:
    """Those that can measure what a backend computes with. On a CPU all that are installed, whatever the backend: a
    ceiling is the machine's, and shares of several backends are then comparable.
    """
    if arithmetic.device == "cuda":
        return [TensorRTLibrary() if arithmetic.library == "tensorrt" else OnnxRuntimeLibrary("cuda")]
    threads = arithmetic.threads or 1
    return [OnnxRuntimeLibrary("cpu", threads), *([OpenVinoLibrary(threads)] if is_installed() else [])]
