"""continual-inference: 3-D convolutions that keep partial sums and take one frame at a time.

Its convolutions and its max-pools with a stride in time express C3D and the CNN of the ASS: at a stream's beginning its
features are those of a single pass. What it cannot do: take several frames in one product (`forward_steps` is a loop
over frames), or keep the states of several cameras apart, which are inside its modules. Each frame passes each
convolution alone, padded with two empty steps on each side in time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from cmsn_benchmarks.peers.way import CHECKED_FRAMES, Frames, Way, Work
from cmsn_benchmarks.speed.backends import HOP_FRAMES
from cmsn_runtime.backends.asks import Floats
from cmsn_runtime.extras import require_library
from cmsn_training.models.incremental import PLAN, IncrementalExtractor


def frame_wise(work: Work) -> Way:
    """8 frames a call, one after the other. Raises MissingExtraError where the library is not installed."""
    require_library("continual", package="continual-inference", extra="peers", purpose="the peer continual-inference")
    network = _network(work.extractor)
    stream = itertools.cycle(work.frames)

    def features() -> Floats:
        network.clean_state()
        return np.stack(list(_features(network, work.extractor, work.frames[:CHECKED_FRAMES])))

    def call() -> None:
        hop = np.stack(list(itertools.islice(stream, HOP_FRAMES)))
        list(_features(network, work.extractor, hop))

    return Way(frames=HOP_FRAMES, call=call, features=features)


def _network(extractor: IncrementalExtractor) -> Any:
    """The ten convolutions with the extractor's weights."""
    import continual  # type: ignore[import-not-found, import-untyped, unused-ignore]

    parts: list[nn.Module] = []
    for layer in PLAN:
        convolution = extractor.conv(layer.name)
        copy = continual.Conv3d(convolution.in_channels, convolution.out_channels, 3, padding=1)
        copy.load_state_dict(convolution.state_dict())
        parts.append(copy)
        if layer.pool is not None:
            parts.append(continual.MaxPool3d(layer.pool, stride=layer.pool))
        parts.append(nn.ReLU())
    return continual.Sequential(*parts).eval()


@torch.inference_mode()
def _features(network: Any, extractor: IncrementalExtractor, frames: Frames) -> Iterable[Floats]:
    """Of each step that becomes ready, [C]."""
    found = []
    for frame in extractor.normalise(torch.from_numpy(frames[None])).unbind(dim=2):
        step = network.forward_step(frame)
        if isinstance(step, torch.Tensor):  # a placeholder, or None, while a step is not ready
            found.append(step[0].amax(dim=(1, 2)).numpy())
    return found
