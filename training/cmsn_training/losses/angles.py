"""Margins in the angle instead of the cosine, without the turning points that cos has."""

from __future__ import annotations

import torch


def widened(cosines: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
    """cos(theta) and margins in radians, 0..pi -> cos(theta + margin), rising with cos(theta) everywhere.

    Past theta + margin = pi the cosine would rise again, and a sample far on the wrong side would be driven to go
    further. From there on the value is cos(theta) + cos(margin) - 1: a straight line that meets the curve at -1. (The
    implementations of ArcFace continue with cos(theta) - margin * sin(margin), as monotonic, but with a jump there.)
    """
    cos, sin = torch.cos(margins), torch.sin(margins)
    # The root's slope is infinite at theta = 0 and pi: there the sine stays a little above 0.
    sines = (1 - cosines.square()).clamp_min(torch.finfo(cosines.dtype).eps).sqrt()
    return torch.where(cosines > -cos, cosines * cos - sines * sin, cosines + cos - 1)


def narrowed(cosines: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
    """cos(theta) and margins in radians, 0..pi -> cos(theta - margin), rising with cos(theta) everywhere.

    The mirror image of `widened`: below theta = margin the value is cos(theta) + 1 - cos(margin), from 1 upwards.
    """
    return -widened(-cosines, margins)
