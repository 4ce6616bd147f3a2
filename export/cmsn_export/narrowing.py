"""Gives convolutions and wide layers of an FP32 graph a narrower type: precision is part of the ONNX graph itself.

TensorRT 11 offers no other way to FP16 (networks are strongly typed), and older versions read the same graph.
These parts stay in float32: pixel arithmetic, norms, cosines, softmax, sigmoid, the LSTM, and the graph's
results. Selections and moves (pool, ReLU, maximum, slice, gather ...) keep the type of their input, and so do sums of
two such (residuals); means over whole pictures are sums of thousands, and stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cmsn_training.onnx_module import needed

_MOVES = {
    "Clip",
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


@dataclass(frozen=True, slots=True)
class _Type:
    """A floating-point type. element: ONNX's name. array: numpy's. suffix: for the names of tensors cast to it."""

    element: int
    array: type[np.floating[Any]]
    suffix: str

    @property
    def limit(self) -> float:
        """Its largest value."""
        return float(np.finfo(self.array).max)


_FULL = _Type(TensorProto.FLOAT, np.float32, "full")
_NARROW = {"fp16": _Type(TensorProto.FLOAT16, np.float16, "half")}
_FLOATS = (_FULL.element, *(kind.element for kind in _NARROW.values()))


def computes_narrowly(node: Any) -> bool:
    """Whether a node of the three networks gains from it: the convolutions, and the PES's two hidden layers."""
    wide = node.op_type == "Gemm" and node.name.startswith(("/fc1/", "/fc2/"))
    return wide or bool(node.op_type == "Conv")


def narrowed(graph: bytes, precision: str, *, computes: Callable[[Any], bool] = computes_narrowly) -> bytes | None:
    """A graph in FP32 -> the same graph in a precision where `computes` holds; None where no node does.

    precision: "fp16". The extractor's states have that type (as convolutions read it, nothing is lost); all other
    inputs and outputs keep theirs.
    Raises ValueError for a weight that the type cannot hold.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), strict_mode=True)
    if not any(computes(node) for node in model.graph.node):
        return None
    narrow = _Narrowing(model, computes, _NARROW[precision]).run()
    onnx.checker.check_model(narrow, full_check=True)
    serialised: bytes = narrow.SerializeToString()
    return serialised


class _Narrowing:
    """One pass over the nodes in order; `_narrow` holds the names of float tensors that have the narrow type so far."""

    def __init__(self, model: Any, computes: Callable[[Any], bool], kind: _Type) -> None:
        self._model = model
        self._computes = computes
        self._type = kind
        known = [*model.graph.value_info, *model.graph.input, *model.graph.output]
        self._types = {item.name: item.type.tensor_type.elem_type for item in known}
        self._constants = {item.name: item for item in model.graph.initializer}
        self._types.update({item.name: item.data_type for item in model.graph.initializer})
        self._producers = {name: node for node in model.graph.node for name in node.output}
        self._narrow: set[str] = set()
        self._versions: dict[tuple[str, int], str] = {}  # (tensor, element type) -> its name in the new graph
        self._nodes: list[Any] = []

    def run(self) -> Any:
        graph = self._model.graph
        for item in graph.input:
            if item.name.startswith("past."):
                item.type.tensor_type.elem_type = self._type.element
                self._narrow.add(item.name)
        for node in graph.node:
            self._place(node)
        for item in graph.output:
            kind = self._type if item.name.startswith("next.") else _FULL
            if kind is self._type:
                item.type.tensor_type.elem_type = kind.element
            self._deliver(item.name, kind)
        nodes = needed(self._nodes, [item.name for item in graph.output])
        used = {name for node in nodes for name in node.input}
        constants = [item for item in self._constants.values() if item.name in used]
        result = helper.make_graph(nodes, graph.name, graph.input, graph.output, constants)
        imports = [helper.make_opsetid(item.domain, item.version) for item in self._model.opset_import]
        return helper.make_model(result, opset_imports=imports, ir_version=self._model.ir_version)

    def _place(self, node: Any) -> None:
        """Append a node, with each float input in the type it computes in."""
        kind = self._type_of(node)
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            if self._types.get(name) in _FLOATS:
                copy.input[index] = self._version(name, kind)
        if kind is self._type:
            self._narrow.update(node.output)
        self._nodes.append(copy)

    def _type_of(self, node: Any) -> _Type:
        """The type a node computes in: selections and moves keep that of their input."""
        follows = node.op_type in _MOVES
        if node.op_type == "Mul":  # a factor that is 0 or 1 selects
            follows = any(self._is_mask(name) for name in node.input)
        if node.op_type == "Add":
            follows = all(name in self._narrow for name in node.input)
        narrow = self._computes(node) or (follows and any(name in self._narrow for name in node.input))
        return self._type if narrow else _FULL

    def _is_mask(self, name: str) -> bool:
        producer = self._producers.get(name)
        return (
            producer is not None
            and producer.op_type == "Cast"
            and self._types.get(producer.input[0]) == TensorProto.BOOL
        )

    def _has(self, name: str, kind: _Type) -> bool:
        return (name in self._narrow) == (kind is self._type)

    def _version(self, name: str, kind: _Type) -> str:
        """The name of a tensor in the wanted type; a cast or a converted constant where its own differs."""
        if self._has(name, kind):
            return name
        key = (name, kind.element)
        if key not in self._versions:
            self._versions[key] = self._converted(name, kind)
        return self._versions[key]

    def _converted(self, name: str, kind: _Type) -> str:
        new = f"{name}.{kind.suffix}"
        constant = self._constants.get(name)
        if constant is not None:
            self._constants[new] = numpy_helper.from_array(_as(kind, numpy_helper.to_array(constant), name), new)
            return new
        producer = self._producers.get(name)
        # A cast of a cast becomes one cast of the original.
        direct = producer is not None and producer.op_type == "Cast" and name not in self._narrow
        source = producer.input[0] if producer is not None and direct else name
        self._nodes.append(helper.make_node("Cast", [source], [new], name=f"/{new}/Cast", to=kind.element))
        return new

    def _deliver(self, name: str, kind: _Type) -> None:
        """Give an output of the graph its type, under its own name."""
        if self._has(name, kind):
            return
        inner = f"{name}.inner"
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [inner if item == name else item for item in names]
        self._nodes.append(helper.make_node("Cast", [inner], [name], name=f"/{name}/Cast", to=kind.element))


def _as(kind: _Type, values: Any, name: str) -> Any:
    peak = float(np.abs(values).max(initial=0.0))
    if not peak <= kind.limit:
        raise ValueError(
            f"{name} holds {peak:g}; {np.dtype(kind.array).name} ends at {kind.limit:g}; train with weight decay, "
            "or use FP32"
        )
    return values.astype(kind.array)
