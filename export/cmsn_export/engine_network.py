"""An ONNX graph parsed by TensorRT, with its shapes fixed, and the type of every layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cmsn_runtime.backends.shapes import Shapes
from cmsn_runtime.errors import BackendError

# Layers whose arithmetic takes most of the time; all others move or compare.
_WIDE = ("CONVOLUTION", "FULLY_CONNECTED", "MATRIX_MULTIPLY")
_NARROW_TYPES = {"fp16": "HALF"}  # precision of a graph -> TensorRT's name of the type of its wide layers


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as TensorRT sees it. kind, precision: its names for them, "CONVOLUTION", "HALF"; "" without output."""

    name: str
    kind: str
    precision: str


@dataclass(frozen=True, slots=True)
class ParsedNetwork:
    """A network in its builder. parser: must outlive it, since it owns the weights. layers: in order."""

    network: Any
    parser: Any
    layers: tuple[Layer, ...]

    def listed(self) -> list[tuple[str, str, str]]:
        """(kind, precision, names or number): layers that do arithmetic by name, the others counted."""
        rest = Counter((item.kind, item.precision) for item in self.layers if item.kind not in _WIDE)
        named = [(item.kind, item.precision, item.name) for item in self.layers if item.kind in _WIDE]
        return [*named, *((kind, precision, f"{count} layers") for (kind, precision), count in sorted(rest.items()))]


def new_builder(trt: Any, logger: Any) -> Any:
    """TensorRT's builder. Raises BackendError where it is unavailable: it needs a driver and a GPU."""
    try:
        return trt.Builder(logger)
    except TypeError as error:  # raised by pybind11 for a null pointer
        raise BackendError(
            f"TensorRT {trt.__version__} cannot start its builder here ({logger.said()}); it needs an NVIDIA driver "
            "and a GPU; `cmsn build --dry-run` with tensorrt-rtx installed checks the graphs without either"
        ) from error


def parse_network(trt: Any, builder: Any, logger: Any, onnx: bytes, shapes: Shapes, *, graph: str) -> ParsedNetwork:
    """Parse a graph and fix every side of its inputs that has only one size.

    Precision is the graph's own: the network is strongly typed from TensorRT 10 on, always so in 11.
    Raises BackendError, naming the node that TensorRT refuses or the inputs that differ from the manifest.
    """
    network = builder.create_network(_creation_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        faults = "; ".join(_reason(parser.get_error(index)) for index in range(parser.num_errors))
        raise BackendError(
            f"TensorRT {trt.__version__} cannot parse the {graph} graph: {faults or logger.said()}; every layer must "
            "be supported; export the model again with this version of cmsn, or report this"
        )
    inputs = {network.get_input(index).name: network.get_input(index) for index in range(network.num_inputs)}
    if set(inputs) != set(shapes):
        raise BackendError(
            f"the {graph} graph has inputs {', '.join(sorted(inputs))}; its manifest lists "
            f"{', '.join(sorted(shapes))}; export the model again"
        )
    for name, (smallest, _, largest) in shapes.items():
        inputs[name].shape = tuple(low if low == high else -1 for low, high in zip(smallest, largest, strict=True))
    return ParsedNetwork(network, parser, tuple(_layers(network)))


def check_precision(parsed: ParsedNetwork, precision: str, *, graph: str) -> None:
    """Raise BackendError, naming a layer, where one that should compute in a narrow precision does not."""
    if precision == "int8":
        _check_quantised(parsed, graph=graph)
    narrow = _NARROW_TYPES.get(precision)
    if narrow is None:
        return
    wide = [item for item in parsed.layers if item.kind in _WIDE]
    wrong = [item for item in wide if item.kind == "CONVOLUTION" and item.precision != narrow]
    if wrong or not any(item.precision == narrow for item in wide):
        found = ", ".join(f"{item.name} is {item.precision}" for item in (wrong or wide)[:3])
        raise BackendError(
            f"the {graph} graph should compute in {precision.upper()}, but {found or 'has nothing to compute'}; "
            "export the model again"
        )


def _check_quantised(parsed: ParsedNetwork, *, graph: str) -> None:
    """Raise BackendError where no convolution reads INT8: its input and its weights are dequantised, one layer each."""
    kinds = Counter(item.kind for item in parsed.layers)
    quantised, dequantised = kinds["QUANTIZE"], kinds["DEQUANTIZE"]
    if not quantised or dequantised <= quantised:
        raise BackendError(
            f"the {graph} graph should compute in INT8, but has {quantised} layers that quantise and {dequantised} "
            "that dequantise; calibrate the bundle again"
        )


def _creation_flags(trt: Any) -> int:
    """Flags for creating a network: each where this version of TensorRT has it."""
    flags = 0
    known = trt.NetworkDefinitionCreationFlag
    for name in ("STRONGLY_TYPED", "EXPLICIT_BATCH"):
        flag = getattr(known, name, None)
        if flag is not None:
            flags |= 1 << int(flag)
    return flags


def is_strongly_typed(trt: Any) -> bool:
    """Whether the network's types are binding; TensorRT 8.6 needs a flag to use FP16 at all."""
    return hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")


def _layers(network: Any) -> Iterator[Layer]:
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        precision = layer.get_output(0).dtype.name if layer.num_outputs else ""
        yield Layer(layer.name, layer.type.name, precision)


def _reason(fault: Any) -> str:
    """One parser error: the node, and why."""
    node_name = getattr(fault, "node_name", None)  # 8.6 reports only the node's number
    node = node_name() if node_name is not None else f"node {fault.node()}"
    return f"{node}: {' '.join(fault.desc().split())[:300]}"
