"""The three networks as ONNX graphs: single files, opset 17, plain operators."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
import torch
from torch import nn

from cmsn_runtime.errors import SettingsError
from cmsn_training.extractors.frozen import FrozenExtractor
from cmsn_training.extractors.merging import merged_graph
from cmsn_training.models.c3d_layers import TIME_STRIDE
from cmsn_training.models.cmsn import CMSN, Extractor
from cmsn_training.models.evaluator import ProposalEvaluator
from cmsn_training.models.feature_extractor import FeatureExtractor
from cmsn_training.models.incremental import PLAN, IncrementalExtractor
from cmsn_training.models.stage_subnet import StageClassifier
from cmsn_training.onnx_module import Axes, export_module


class _Stages(nn.Module):
    """Step features -> stage probabilities, as one graph."""

    def __init__(self, stages: StageClassifier) -> None:
        super().__init__()
        self.stages = stages

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.stages.probabilities(features)


def build_graphs(model: CMSN, *, window: int, stacked: Iterable[str] = ()) -> dict[str, bytes]:
    """Name -> ONNX bytes of `extractor`, `stages` and `evaluator`; inputs and outputs as the runtime expects them.

    Cameras and time are dynamic axes, which an engine may fix. stacked: layers of the extractor exported
    as two-dimensional convolutions, "all" for every one. Raises SettingsError for an unknown layer.
    """
    model = model.eval()
    return {
        "extractor": _stacked_extractor(model.extractor, frozenset(stacked)),
        "stages": _stages(model.stages, model.feature_channels, window),
        "evaluator": _evaluator(model.evaluator, model.feature_channels, window),
    }


def _stacked_extractor(extractor: Extractor, stacked: frozenset[str]) -> bytes:
    layers = {layer.name for layer in PLAN} if isinstance(extractor, IncrementalExtractor) else set()
    if "all" in stacked and layers:
        stacked = frozenset(layers)
    if not stacked <= layers:
        raise SettingsError(
            f"the extractor has no convolution {', '.join(sorted(stacked - layers))}; "
            f"it has {', '.join(sorted(layers)) or 'none'}; name some of them, or all"
        )
    if isinstance(extractor, FrozenExtractor):
        return merged_graph(extractor)
    if not isinstance(extractor, IncrementalExtractor):
        return _extractor(extractor)
    before, extractor.stacked = extractor.stacked, stacked
    try:
        return _named(_extractor(extractor))
    finally:
        extractor.stacked = before


def _extractor(extractor: IncrementalExtractor | FeatureExtractor) -> bytes:
    names = list(extractor.state_shapes())
    if isinstance(extractor, FeatureExtractor):
        first, stride = "rows", extractor.stride
        frames = torch.zeros(1, 2 * stride, extractor.width)
    else:
        first, stride = "frames", TIME_STRIDE
        frames = torch.zeros(1, 2 * stride, *extractor.preprocessing.crop, 3, dtype=torch.uint8)
    counter = torch.zeros(1, dtype=torch.int64)
    past = [f"past.{name}" for name in names]
    following = [f"next.{name}" for name in names]
    axes: Axes = {name: {0: "batch"} for name in ("position", "length", *past, *following)}
    axes[first] = {0: "batch", 1: first}
    axes["features"] = {0: "batch", 1: "steps"}
    return export_module(
        extractor,
        (frames, counter, counter + 2 * stride, *extractor.new_state()),
        inputs=[first, "position", "length", *past],
        outputs=["features", *following],
        axes=axes,
    )


def _named(graph: bytes) -> bytes:
    """Name convolutions after their layers, so that an engine's layers and errors bear these names."""
    model = onnx.load_from_string(graph)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    for layer, node in zip(PLAN, convolutions, strict=True):
        node.name = f"/{layer.name}/Conv"
    named: bytes = model.SerializeToString()
    return named


def _stages(stages: StageClassifier, channels: int, window: int) -> bytes:
    return export_module(
        _Stages(stages).eval(),  # the exporter restores the module's mode
        (torch.zeros(1, window, channels),),
        inputs=["features"],
        outputs=["probabilities"],
        axes={name: {0: "batch", 1: "steps"} for name in ("features", "probabilities")},
    )


def _evaluator(evaluator: ProposalEvaluator, channels: int, window: int) -> bytes:
    bins = evaluator.fc1.in_features // channels
    rows = torch.zeros(3, bins, dtype=torch.int64)
    return export_module(
        evaluator,
        (torch.zeros(window, channels), rows, rows),
        inputs=["features", "left", "right"],
        outputs=["scores"],
        axes={
            "features": {0: "steps"},
            "left": {0: "proposals"},
            "right": {0: "proposals"},
            "scores": {0: "proposals"},
        },
    )
