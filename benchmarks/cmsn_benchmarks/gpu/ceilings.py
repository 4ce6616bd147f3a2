"""The ceilings of this GPU: a large matrix product, and a large copy from device memory to device memory."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from cmsn_benchmarks.gpu.engine import build_and_load
from cmsn_benchmarks.gpu.stacks import StackName
from cmsn_benchmarks.gpu.timing import seconds_of
from cmsn_runtime.backends.shapes import Shape

_NAMES = ("left", "right", "product")
_COPIED = 16  # bytes copied per element of a matrix


def measure_ceilings(found: set[StackName], *, device: str, side: int) -> dict[str, Any]:
    """Ceilings by torch where it is installed, otherwise by TensorRT; FP16 on CUDA, FP32 elsewhere. Empty without
    either.

    side: number of rows of the square matrices.
    """
    if "torch" in found or (device != "cuda" and find_spec("torch") is not None):
        return _by_torch(device, side)
    return _by_tensorrt(side) if device == "cuda" and "builder" in found else {}


def _by_torch(device: str, side: int) -> dict[str, Any]:
    import torch

    cuda = device == "cuda"
    dtype = torch.float16 if cuda else torch.float32

    def wait() -> None:
        if cuda:
            torch.cuda.synchronize()

    with torch.inference_mode():
        left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        product = torch.empty_like(left)
        seconds = seconds_of(lambda: torch.matmul(left, right, out=product), wait)
        source = torch.randint(0, 256, (_COPIED * side**2,), device=device, dtype=torch.uint8)
        target = torch.empty_like(source)
        copying = seconds_of(lambda: target.copy_(source), wait)
    return _figures("torch", str(dtype).removeprefix("torch."), side, seconds, copying)


def _by_tensorrt(side: int) -> dict[str, Any]:
    """Ceilings by TensorRT, with the matrix product as an engine of one layer."""
    shape: Shape = (side, side)
    nbytes = _COPIED * side**2
    shapes = dict.fromkeys(("left", "right"), (shape, shape, shape))
    onnx = _product_graph(side)
    with build_and_load(onnx, shapes, graph="product", precision="fp16", outputs={"product": shape}) as engine:
        device = engine.device
        rng = np.random.default_rng(0)
        values = {name: rng.normal(size=shape).astype(np.float16) for name in shapes}
        engine.run(values, [shape])
        with device.current():
            seconds = seconds_of(engine.again, device.synchronize)
            source, target = (engine.own(device.memory(nbytes)) for _ in range(2))
            source.clear()
            copying = seconds_of(lambda: device.copy(target.address, source.address, nbytes), device.synchronize)
    return _figures("TensorRT", "float16", side, seconds, copying)


def _product_graph(side: int) -> bytes:
    import onnx
    from onnx import TensorProto, helper

    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [side, side]) for name in _NAMES]
    node = helper.make_node("MatMul", list(_NAMES[:2]), [_NAMES[2]], name="/product/MatMul")
    graph = helper.make_graph([node], "product", tensors[:2], tensors[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised


def _figures(by: str, dtype: str, side: int, seconds: float, copying: float) -> dict[str, Any]:
    nbytes = _COPIED * side**2
    return {
        "by": by,
        "dtype": dtype,
        "side": side,
        "matrix_product_tflops": round(2 * side**3 / seconds / 1e12, 3),
        "copied_bytes": nbytes,
        "device_copy_gb_per_s": round(2 * nbytes / copying / 1e9, 2),  # read and written
    }
