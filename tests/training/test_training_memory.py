"""A training leaves nothing behind, whether or not the collector happens to come by."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

pytest.importorskip("lightning")

import lightning.pytorch as pl
import torch

from cmsn_benchmarks.datasets.small_training import write_training
from cmsn_training.config import load_config
from cmsn_training.models.cmsn import CMSN
from cmsn_training.training import train

# Lightning's advice about loggers and workers is no fault of the code.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("stages_that_propose")]


def alive() -> int:
    """Networks, trainers and optimisers in memory, reachable or not."""
    kinds = (CMSN, pl.Trainer, pl.LightningModule, torch.optim.Optimizer)
    return sum(issubclass(type(one), kinds) for one in gc.get_objects())


def test_networks_and_optimisers_are_gone_when_a_training_has_ended(tmp_path: Path) -> None:
    config = load_config(write_training(tmp_path))
    gc.collect()
    before = alive()
    gc.disable()  # as between two visits of the collector
    try:
        train(config)
        assert alive() == before
    finally:
        gc.enable()
