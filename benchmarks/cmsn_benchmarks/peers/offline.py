"""The same stack without states: a clip that is there as a whole, in one call.

The graph has the extractor's weights, no states, and no masks: a step of zeros before and after the input of each
convolution stands where the states and the next chunk would be. So all convolutions are those of the stream's graph,
and OpenVINO rewrites them to fewer products in the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from cmsn_benchmarks.peers.openvino_options import compilation
from cmsn_benchmarks.peers.way import Way, Work
from cmsn_runtime.backends.asks import Floats
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.session import opened_session
from cmsn_runtime.backends.openvino.compiling import compiled, read_model
from cmsn_runtime.backends.openvino.precisions import Precision
from cmsn_training.models.incremental import PLAN, IncrementalExtractor, plain_conv
from cmsn_training.onnx_module import export_module


class WithoutStates(nn.Module):
    """The layers of an extractor over a whole clip."""

    def __init__(self, extractor: IncrementalExtractor) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames uint8 [1, T, H, W, 3] -> step features [1, T / 8, C]."""
        x = self.extractor.normalise(frames)
        for layer in PLAN:
            x = F.pad(x, (0, 0, 0, 0, 1, 1))
            x = F.relu(plain_conv(x, self.extractor.conv(layer.name)))
            if layer.pool is not None:
                x = F.max_pool3d(x, layer.pool)
        return x.amax(dim=(3, 4)).transpose(1, 2)


def graph_without_states(extractor: IncrementalExtractor) -> bytes:
    """ONNX: frames uint8 [1, T, H, W, 3] -> features [1, T / 8, C]."""
    frames = torch.zeros(1, 16, *extractor.preprocessing.crop, 3, dtype=torch.uint8)
    return export_module(
        WithoutStates(extractor).eval(),
        (frames,),
        inputs=["frames"],
        outputs=["features"],
        axes={"frames": {1: "frames"}, "features": {1: "steps"}},
    )


def on_onnxruntime(work: Work, frames: int) -> Way:
    """A clip of so many frames on ONNX Runtime, as this project's backend opens it."""
    session = opened_session("extractor", graph_without_states(work.extractor), work.threads, Provider())
    clip = work.frames[None, :frames]

    def call() -> Floats:
        features: Floats = session.run(None, {"frames": clip})[0][0]
        return features

    return Way(frames=frames, call=call, features=call, ends=frames)


def on_openvino(work: Work, precision: Precision, frames: int) -> Way:
    """A clip of so many frames on OpenVINO, compiled as this project's backend does. Raises BackendError."""
    options = compilation(work, precision)
    model = read_model("extractor", graph_without_states(work.extractor))
    request: Any = compiled("extractor", model, frames, options).create_infer_request()

    def call() -> Floats:
        request.get_tensor("frames").data[0] = work.frames[:frames]
        request.infer()
        return np.array(request.get_tensor("features").data[0])

    return Way(frames=frames, call=call, features=call, ends=frames)
