"""The networks in every exported precision, each complete, with its difference from torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import onnx

from cmsn_export.narrowing import narrowed
from cmsn_runtime.errors import BundleError
from cmsn_runtime.manifest.contents import FULL_PRECISION, Parity, StateDtype

NARROW_PRECISIONS = ("fp16",)


@dataclass(frozen=True, slots=True)
class TypedGraph:
    """ONNX bytes, and the precision that the graph computes in."""

    onnx: bytes
    precision: str

    def file_name(self, graph: str) -> str:
        """Its file name in a bundle's folder."""
        return f"{graph}.onnx" if self.precision == FULL_PRECISION else f"{graph}.{self.precision}.onnx"


@dataclass(frozen=True, slots=True)
class ExportedVariant:
    """The three graphs of one precision, by name, and their differences from torch."""

    graphs: dict[str, TypedGraph]
    parity: Parity


def typed_variants(graphs: Mapping[str, bytes]) -> dict[str, dict[str, TypedGraph]]:
    """FP32 graphs by name -> precision -> the graphs in it; a precision in which nothing would compute is omitted.

    A graph that gains nothing from a precision stays in FP32. Raises ValueError for a weight outside its range.
    """
    full = {name: TypedGraph(graph, FULL_PRECISION) for name, graph in graphs.items()}
    found = {FULL_PRECISION: full}
    for precision in NARROW_PRECISIONS:
        converted = {name: narrowed(graph, precision) for name, graph in graphs.items()}
        narrow = {name: TypedGraph(graph, precision) for name, graph in converted.items() if graph is not None}
        if narrow:
            found[precision] = {**full, **narrow}
    return found


def state_dtypes(extractor: bytes) -> dict[str, StateDtype]:
    """State -> numpy's name of its element type, as an extractor's graph has it. Raises BundleError for another."""
    model = onnx.load_from_string(extractor)
    known: dict[str, StateDtype] = {name: name for name in get_args(StateDtype)}
    found = {}
    for item in model.graph.input:
        if item.name.startswith("past."):
            name = onnx.helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type).name
            if name not in known:
                raise BundleError(f"the state {item.name} is of type {name}; a bundle can hold {', '.join(known)}")
            found[item.name.removeprefix("past.")] = known[name]
    return found


def unmeasured(graphs: Mapping[str, bytes]) -> dict[str, ExportedVariant]:
    """Variants of FP32 graphs whose parity is not measured: for networks that are only built and timed."""
    parity = Parity(dict.fromkeys(graphs, 0.0), 0.0)
    return {precision: ExportedVariant(typed, parity) for precision, typed in typed_variants(graphs).items()}
