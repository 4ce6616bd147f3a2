"""The shape and type of every tensor of an ONNX graph, found by running it once. Needs onnx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.extras import require_library

_TYPES: dict[str, npt.DTypeLike] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Its size in memory."""
        return prod(self.shape) * self.dtype.itemsize


Tensors: TypeAlias = Mapping[str, Tensor]  # by name


def tensors_of(graph: bytes, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Any, Tensors]:
    """The graph as onnx has it, and all its tensors where its inputs are zeros of these shapes.

    It is run, on ONNX Runtime: the shape inference of onnx does not follow the exported index arithmetic, whose
    lengths are values. Raises MissingExtraError without onnx.
    """
    require_library("onnx", extra="bench", purpose="counting the operations of a network")
    import onnx

    model = onnx.load_from_string(graph)
    weights = {
        item.name: Tensor(tuple(item.dims), np.dtype(onnx.helper.tensor_dtype_to_np_dtype(item.data_type)))
        for item in model.graph.initializer
    }
    ends = {item.name for item in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in ends)
    session = _session(model.SerializeToString())
    del model.graph.output[len(ends) :]
    feeds = {item.name: np.zeros(shapes[item.name], _TYPES[item.type]) for item in session.get_inputs()}
    values = dict(zip(names, session.run(names, feeds), strict=True))
    return model, {**weights, **{name: Tensor(value.shape, value.dtype) for name, value in {**feeds, **values}.items()}}


def _session(graph: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Every tensor is an output, so nothing can be fused; without optimisation it is not tried either.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
