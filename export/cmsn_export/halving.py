"""An FP32 graph with its convolutions and wide layers typed FP16: precision that lives in the ONNX itself.

TensorRT 11 knows no other way to ask for FP16 (a strongly typed network), and the older ones read the same graph.
What stays in float32 are islands: pixel arithmetic, norms, cosines, softmax, sigmoid, the LSTM, and the graph's
results. Selections and moves (pool, ReLU, maximum, slice, gather ...) follow what they select from, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_MOVES = {
    "Concat",
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "Max",
    "MaxPool",
    "ReduceMax",
    "Relu",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
_HALF_LIMIT = 65504.0


def computes_in_half(node: Any) -> bool:
    """Whether a node of the three networks is computed in FP16: the convolutions, and the PES's two hidden layers."""
    wide = node.op_type == "Gemm" and node.name.startswith(("/fc1/", "/fc2/"))
    return wide or bool(node.op_type == "Conv")


def halved(graph: bytes, *, computes: Callable[[Any], bool] = computes_in_half) -> bytes | None:
    """A graph of the three, FP32 -> the same typed FP16 where `computes` says so; None where that is nowhere.

    The extractor's states are FP16 in and out (what a convolution reads is, so that loses nothing), all other inputs
    and outputs stay as they are. Raises ValueError for a weight that FP16 cannot hold.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), strict_mode=True)
    if not any(computes(node) for node in model.graph.node):
        return None
    half = _Halving(model, computes).run()
    onnx.checker.check_model(half, full_check=True)
    serialised: bytes = half.SerializeToString()
    return serialised


class _Halving:
    """One pass over the nodes in order; `_half` holds the names of float tensors that are FP16 now."""

    def __init__(self, model: Any, computes: Callable[[Any], bool]) -> None:
        self._model = model
        self._computes = computes
        known = [*model.graph.value_info, *model.graph.input, *model.graph.output]
        self._types = {item.name: item.type.tensor_type.elem_type for item in known}
        self._constants = {item.name: item for item in model.graph.initializer}
        self._types.update({item.name: item.data_type for item in model.graph.initializer})
        self._producers = {name: node for node in model.graph.node for name in node.output}
        self._half: set[str] = set()
        self._versions: dict[tuple[str, bool], str] = {}  # (tensor, as half) -> its name in the new graph
        self._nodes: list[Any] = []

    def run(self) -> Any:
        graph = self._model.graph
        for item in graph.input:
            if item.name.startswith("past."):
                item.type.tensor_type.elem_type = TensorProto.FLOAT16
                self._half.add(item.name)
        for node in graph.node:
            self._place(node)
        for item in graph.output:
            if item.name.startswith("next."):
                item.type.tensor_type.elem_type = TensorProto.FLOAT16
            self._deliver(item.name, half=item.name.startswith("next."))
        nodes = _needed(self._nodes, [item.name for item in graph.output])
        used = {name for node in nodes for name in node.input}
        constants = [item for item in self._constants.values() if item.name in used]
        result = helper.make_graph(nodes, graph.name, graph.input, graph.output, constants)
        imports = [helper.make_opsetid(item.domain, item.version) for item in self._model.opset_import]
        return helper.make_model(result, opset_imports=imports, ir_version=self._model.ir_version)

    def _place(self, node: Any) -> None:
        """Append a node, with each float input in the precision it computes in."""
        half = self._is_half(node)
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            if self._types.get(name) in _FLOATS:
                copy.input[index] = self._version(name, half=half)
        if half:
            self._half.update(node.output)
        self._nodes.append(copy)

    def _is_half(self, node: Any) -> bool:
        if self._computes(node):
            return True
        if node.op_type == "Mul":  # a factor that is 0 or 1 selects
            masks = [name for name in node.input if self._is_mask(name)]
            return any(name in self._half for name in node.input) if masks else False
        return node.op_type in _MOVES and any(name in self._half for name in node.input)

    def _is_mask(self, name: str) -> bool:
        producer = self._producers.get(name)
        return (
            producer is not None
            and producer.op_type == "Cast"
            and self._types.get(producer.input[0]) == TensorProto.BOOL
        )

    def _version(self, name: str, *, half: bool) -> str:
        """The name of a tensor in the precision that is wanted; a cast or a converted constant where it is another."""
        if (name in self._half) == half:
            return name
        key = (name, half)
        if key not in self._versions:
            self._versions[key] = self._converted(name, half=half)
        return self._versions[key]

    def _converted(self, name: str, *, half: bool) -> str:
        new = f"{name}.{'half' if half else 'full'}"
        constant = self._constants.get(name)
        if constant is not None:
            self._constants[new] = numpy_helper.from_array(_as_half(numpy_helper.to_array(constant), name), new)
            return new
        producer = self._producers.get(name)
        # A cast of a cast is one cast from where the first came.
        direct = producer is not None and producer.op_type == "Cast" and name not in self._half
        source = producer.input[0] if producer is not None and direct else name
        to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        self._nodes.append(helper.make_node("Cast", [source], [new], name=f"/{new}/Cast", to=to))
        return new

    def _deliver(self, name: str, *, half: bool) -> None:
        """Make an output of the graph have its precision, under its own name."""
        if (name in self._half) == half:
            return
        inner = f"{name}.inner"
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [inner if item == name else item for item in names]
        to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        self._nodes.append(helper.make_node("Cast", [inner], [name], name=f"/{name}/Cast", to=to))


def _as_half(values: Any, name: str) -> Any:
    peak = float(np.abs(values).max(initial=0.0))
    if not peak <= _HALF_LIMIT:
        raise ValueError(
            f"{name} holds {peak:g}, and FP16 ends at {_HALF_LIMIT:g}; train with weight decay, or use FP32"
        )
    return values.astype(np.float16)


def _needed(nodes: list[Any], outputs: list[str]) -> list[Any]:
    """The nodes that an output depends on, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]
