"""Frozen networks and what is around them as one ONNX graph of the form that every bundle's extractor has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import compose, helper
from torch import nn

from cmsn_training.extractors.frozen import FrozenExtractor, join_rows
from cmsn_training.extractors.reading import OUTPUT, SNIPPETS
from cmsn_training.extractors.snippets import pooled
from cmsn_training.onnx_module import OPSET, Axes, export_module

_IR_VERSION = 8  # the one of opset 17


class _After(nn.Module):
    """From the networks' outputs to step features."""

    def __init__(self, extractor: FrozenExtractor) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, position: torch.Tensor, length: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """rest: the networks' outputs, then the head's states."""
        networks = self.extractor.sampler.networks
        values = [pooled(value, one) for value, one in zip(rest, networks.values(), strict=False)]
        rows = self.extractor.join(values, position.shape[0])
        return join_rows(self.extractor, rows, position, length, list(rest[len(networks) :]), [])


def merged_graph(extractor: FrozenExtractor) -> bytes:
    """The extractor as one graph: frames uint8, position, length and states in; features and next states out.

    The networks' weights are those it holds. Raises SettingsError where a network cannot be run.
    """
    before, snippets = _before(extractor)
    after = _after(extractor, snippets)
    parts = [_prefixed(before, "frames/", {})]
    for name, graph in extractor.graphs().items():
        ends = {SNIPPETS: f"{name}/{SNIPPETS}", OUTPUT: f"{name}/{OUTPUT}"}
        parts.append(_prefixed(graph, f"{name}/", ends))
    parts.append(_prefixed(after, "rows/", {}))
    return _joined(parts)


def _before(extractor: FrozenExtractor) -> tuple[bytes, tuple[torch.Tensor, ...]]:
    """The sampler's graph, and the example of snippets that it was traced with."""
    sampler, names = extractor.sampler, list(extractor.sampler.networks)
    frames = torch.zeros(1, 2 * extractor.stride, *extractor.preprocessing.picture_shape, dtype=torch.uint8)
    position = torch.zeros(1, dtype=torch.int64)
    kept = extractor.new_state()[:1] if sampler.kept else ()
    outputs = [f"{name}/{SNIPPETS}" for name in names]
    axes: Axes = {"frames": {0: "batch", 1: "frames"}, "position": {0: "batch"}}
    axes |= {name: {0: "snippets"} for name in outputs}
    axes |= {name: {0: "batch"} for name in ("past.frames", "next.frames") if kept}
    graph = export_module(
        sampler,
        (frames, position, *kept),
        inputs=["frames", "position", *(["past.frames"] if kept else [])],
        outputs=[*outputs, *(["next.frames"] if kept else [])],
        axes=axes,
    )
    with torch.inference_mode():
        return graph, sampler(frames, position, *kept)[: len(names)]


def _after(extractor: FrozenExtractor, snippets: Sequence[torch.Tensor]) -> bytes:
    values = [one.raw(given) for (_, one), given in zip(extractor.frozen(), snippets, strict=True)]
    counter = torch.zeros(1, dtype=torch.int64)
    states = list(extractor.head.state_shapes())
    names = [f"{name}/{OUTPUT}" for name in extractor.sampler.networks]
    past, following = ([f"{kind}.{name}" for name in states] for kind in ("past", "next"))
    axes: Axes = {name: {0: "batch"} for name in ("position", "length", *past, *following)}
    axes |= {name: {0: "snippets"} for name in names}
    axes["features"] = {0: "batch", 1: "steps"}
    return export_module(
        _After(extractor).eval(),
        (counter, counter + 2 * extractor.stride, *values, *extractor.head.new_state()),
        inputs=["position", "length", *names, *past],
        outputs=["features", *following],
        axes=axes,
    )


def _prefixed(graph: bytes, prefix: str, ends: Mapping[str, str]) -> Any:
    """The graph with everything inside it under a prefix; `ends` renames inputs and outputs."""
    model = onnx.load_from_string(graph)
    del model.graph.value_info[:]
    renamed = compose.add_prefix(model, prefix, rename_inputs=False, rename_outputs=False)
    for node in renamed.graph.node:
        for names in (node.input, node.output):
            names[:] = [ends.get(name, name) for name in names]
    for item in (*renamed.graph.input, *renamed.graph.output):
        item.name = ends.get(item.name, item.name)
    return renamed


def _joined(parts: Sequence[Any]) -> bytes:
    made = {item.name for part in parts for item in part.graph.output}
    inputs = {item.name: item for part in parts for item in part.graph.input if item.name not in made}
    used = {item.name for part in parts for item in part.graph.input}
    outputs = {item.name: item for part in parts for item in part.graph.output if item.name not in used}
    nodes = [node for part in parts for node in part.graph.node]
    graph = helper.make_graph(
        nodes,
        "extractor",
        [inputs[name] for name in _ordered(inputs, ("frames", "position", "length"))],
        [outputs[name] for name in _ordered(outputs, ("features",))],
        _once(nodes, [item for part in parts for item in part.graph.initializer]),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString()
    return serialised


def _once(nodes: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
    """Equal weights once: a network that takes two kinds of input is in the graph twice, and in the file once."""
    first: dict[bytes, Any] = {}
    same: dict[str, str] = {}
    for item in weights:
        nameless = onnx.TensorProto()
        nameless.CopyFrom(item)
        nameless.name = ""
        kept = first.setdefault(hashlib.sha256(nameless.SerializeToString()).digest(), item)
        same[item.name] = kept.name
    for node in nodes:
        node.input[:] = [same.get(name, name) for name in node.input]
    return list(first.values())


def _ordered(names: Mapping[str, Any], first: Sequence[str]) -> list[str]:
    """Those of `first` first; states stay in their order, that of the kept frames before the rows'."""
    return [*first, *(name for name in names if name not in first)]
