"""Softmax cross-entropy: the baseline loss of the paper, and the last step of all the others (equation 2)."""

from __future__ import annotations

import torch
from torch import nn


def full_precision(x: torch.Tensor) -> torch.Tensor:
    """The same values, half precision converted to float32; float64 is kept."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Logits [..., classes] and labels int64 [...] -> mean of -log softmax at the label.

    In float32 or better, also under autocast. Every label counts: torch's own would silently skip -100.
    Raises ValueError where the shapes differ, RuntimeError for a label outside the classes.
    """
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels {tuple(labels.shape)} for scores {tuple(logits.shape)}: give one label per row of scores"
        )
    with torch.autocast(logits.device.type, enabled=False):
        chances = torch.log_softmax(full_precision(logits), dim=-1)
        return -chances.gather(-1, labels[..., None]).mean()


class SoftmaxLoss(nn.Module):
    """Equation 2: cross-entropy over the logits of a plain linear layer; no normalisation, no margin."""

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Logits [..., classes] and labels int64 [...] -> mean loss, in float32 or better."""
        return cross_entropy(scores, labels)
