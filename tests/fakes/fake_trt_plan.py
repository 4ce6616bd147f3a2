"""Plans of the simulated TensorRT: the ONNX file with the facts that decide where and with what it may run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]

_MAGIC = b"FAKE TENSORRT PLAN\n"

# TensorRT's name of a type -> numpy's
TYPES: dict[str, Any] = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT64": np.int64,
}


@dataclass(slots=True)
class TensorFacts:
    """An input or output. source: its name in the ONNX file. shape: -1 where it is dynamic.

    dtype: TensorRT's name of it; in the ONNX file it is `source_dtype`. profile: smallest, usual, largest; of inputs.
    """

    name: str
    source: str
    is_input: bool
    dtype: str
    source_dtype: str
    shape: Shape
    profile: tuple[Shape, Shape, Shape] | None = None

    @property
    def numpy(self) -> np.dtype[Any]:
        """Its type in memory."""
        kind: np.dtype[Any] = np.dtype(TYPES[self.dtype])
        return kind


@dataclass(slots=True)
class LayerFacts:
    """A node of the network. outputs: names and TensorRT's names of their types."""

    name: str
    kind: str
    inputs: list[str]
    outputs: list[tuple[str, str]]


@dataclass(slots=True)
class Plan:
    """An engine, serialised. flags: BuilderFlags it was built with."""

    version: str
    capability: str
    flags: list[str]
    tensors: list[TensorFacts]
    layers: list[LayerFacts]
    onnx: bytes = field(default=b"", repr=False)

    def serialize(self) -> bytes:
        """As bytes."""
        facts = asdict(self)
        del facts["onnx"]
        head = json.dumps(facts).encode()
        return _MAGIC + len(head).to_bytes(8, "little") + head + self.onnx


class Dims(tuple[int, ...]):
    """A shape."""

    __slots__ = ()


class HostMemory(bytes):
    """What a serialised engine comes in: a buffer with `nbytes`, but, as the real one, no len() and no items."""

    @property
    def nbytes(self) -> int:
        """Its size."""
        return super().__len__()

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        raise TypeError("object of type 'tensorrt.IHostMemory' has no len()")

    def __getitem__(self, key: Any) -> Any:
        raise TypeError("'tensorrt.IHostMemory' object is not subscriptable")


def read_plan(content: bytes) -> Plan | None:
    """The plan that was serialised; None for other bytes."""
    if not content.startswith(_MAGIC):
        return None
    begin = len(_MAGIC) + 8
    end = begin + int.from_bytes(content[len(_MAGIC) : begin], "little")
    try:
        facts = json.loads(content[begin:end])
    except ValueError:
        return None
    tensors = [TensorFacts(**{**item, **_shapes(item)}) for item in facts.pop("tensors")]
    layers = [LayerFacts(**item) for item in facts.pop("layers")]
    return Plan(tensors=tensors, layers=layers, onnx=content[end:], **facts)


def _shapes(item: dict[str, Any]) -> dict[str, Any]:
    profile = item["profile"]
    return {"shape": tuple(item["shape"]), "profile": profile and tuple(tuple(shape) for shape in profile)}


class Network:
    """What a plan computes, by ONNX Runtime on the CPU."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.inputs = [tensor for tensor in plan.tensors if tensor.is_input]
        self.outputs = [tensor for tensor in plan.tensors if not tensor.is_input]
        self._session = _session(plan.onnx)
        self._output_shapes: dict[tuple[Shape, ...], dict[str, Shape]] = {}

    def output_shapes(self, shapes: dict[str, Shape]) -> dict[str, Shape]:
        """Of every output, by the shapes of all inputs. What inference cannot tell is seen by a run on zeros."""
        key = tuple(shapes[tensor.name] for tensor in self.inputs)
        if key not in self._output_shapes:
            sources = {tensor.source: shapes[tensor.name] for tensor in self.inputs}
            inferred = inferred_shapes(self.plan.onnx, sources)
            found = {tensor.name: inferred[tensor.source] for tensor in self.outputs}
            if any(-1 in shape for shape in found.values()):
                zeros = {tensor.name: np.zeros(shapes[tensor.name], tensor.numpy) for tensor in self.inputs}
                found = {name: value.shape for name, value in self.run(zeros).items()}
            self._output_shapes[key] = found
        return self._output_shapes[key]

    def run(self, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Outputs by name."""
        feeds = {
            tensor.source: arrays[tensor.name].astype(TYPES[tensor.source_dtype], copy=False)
            for tensor in self.inputs
            if tensor.source in {item.name for item in self._session.get_inputs()}
        }
        values = self._session.run([tensor.source for tensor in self.outputs], feeds)
        return {
            tensor.name: np.asarray(value).astype(tensor.numpy, copy=False)
            for tensor, value in zip(self.outputs, values, strict=True)
        }


def inferred_shapes(model: bytes, inputs: dict[str, Shape]) -> dict[str, Shape]:
    """Of the outputs of an ONNX file whose inputs have these shapes; -1 where inference does not get there."""
    import onnx

    proto = onnx.load_from_string(model)
    for value in proto.graph.input:
        if value.name in inputs:
            set_shape(value, inputs[value.name])
    declared = {value.name: shape_of(value) for value in proto.graph.output}
    for value in proto.graph.output:
        value.type.tensor_type.ClearField("shape")
    del proto.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    return {value.name: _merged(declared[value.name], shape_of(value)) for value in inferred.graph.output}


def output_types(model: bytes) -> dict[str, str]:
    """TensorRT's name of the type of every tensor in an ONNX file, as far as inference knows it."""
    import onnx

    names = {onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)): name for name, kind in TYPES.items()}
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(model)).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    known = {value.name: names.get(value.type.tensor_type.elem_type) for value in values}
    return {name: dtype for name, dtype in known.items() if dtype is not None}


def shape_of(value: Any) -> Shape:
    """Of an ONNX value; -1 where it is dynamic."""
    sides = value.type.tensor_type.shape.dim
    return tuple(side.dim_value if side.HasField("dim_value") else -1 for side in sides)


def set_shape(value: Any, shape: Shape) -> None:
    """Give an ONNX value a shape."""
    sides = value.type.tensor_type.shape
    sides.ClearField("dim")
    for side in shape:
        added = sides.dim.add()
        if side >= 0:
            added.dim_value = side


def _merged(declared: Shape, inferred: Shape) -> Shape:
    if len(declared) != len(inferred):
        return declared
    return tuple(first if second == -1 else second for first, second in zip(declared, inferred, strict=True))


@lru_cache(maxsize=32)
def _session(model: bytes) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
