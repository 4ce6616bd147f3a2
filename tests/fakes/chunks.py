"""A whole video through the incremental extractor, chunk by chunk."""

from __future__ import annotations

import torch

from cmsn_training.models.c3d_layers import TIME_STRIDE
from cmsn_training.models.incremental import DELAY_STEPS, IncrementalExtractor


def run_incrementally(
    extractor: IncrementalExtractor, frames: torch.Tensor, *, chunk: int = TIME_STRIDE
) -> torch.Tensor:
    """Frames uint8 [N, T, H, W, 3] -> step features [N, T // 8, C], fed `chunk` frames at a time."""
    batch, total = frames.shape[:2]
    padding = -total % TIME_STRIDE + DELAY_STEPS * TIME_STRIDE
    padded = torch.cat((frames, frames.new_zeros(batch, padding, *frames.shape[2:])), dim=1)
    length = torch.full((batch,), total)
    state = extractor.new_state(batch)
    outputs: list[torch.Tensor] = []
    for begin in range(0, padded.shape[1], chunk):
        features, *rest = extractor(padded[:, begin : begin + chunk], torch.full((batch,), begin), length, *state)
        state = tuple(rest)
        outputs.append(features)
    steps = torch.cat(outputs, dim=1)[:, DELAY_STEPS:]
    return steps[:, : total // TIME_STRIDE]
