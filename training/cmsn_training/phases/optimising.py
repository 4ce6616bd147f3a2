"""Optimiser and schedule of a phase, from its configuration."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler

from cmsn_training.config_sections import PhaseConfig


def optimiser_of(parameters: Iterable[torch.nn.Parameter], phase: PhaseConfig, *, updates: int) -> OptimizerLRScheduler:
    """Adam (the paper names none) over the trainable parameters; `updates` is the length of the phase."""
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    optimiser = torch.optim.Adam(learning, lr=phase.learning_rate, weight_decay=phase.weight_decay)
    if phase.schedule == "constant":
        return optimiser
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=phase.learning_rate, total_steps=max(2, updates), pct_start=0.15
    )
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
