"""One phase on a Lightning trainer, so that an interrupted run ends in the weights of an unbroken one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from cmsn_training.config import TrainingConfig
from cmsn_training.config_sections import PhaseConfig
from cmsn_training.data.sampling_order import EpochSampler


class _SeededSteps(pl.Callback):
    """Dropout's randomness depends on the step and not on what came before it.

    Seeding each epoch is not enough: data loaders draw from the same generator, and a resumed run opens them in
    another order.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        key = (self.seed, trainer.current_epoch, index, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))


class _EpochCheckpoint(pl.Callback):
    """FOLDER/last.ckpt after each epoch: the whole of the old one or the whole of the new one, whenever we are killed.

    Lightning's own callback writes the last checkpoint only where it also keeps the best few.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        unfinished = self.path.with_suffix(".partial")
        trainer.save_checkpoint(unfinished)  # every process takes part in this
        if trainer.is_global_zero:
            os.replace(unfinished, self.path)


def fit_phase(
    module: pl.LightningModule,
    phase: PhaseConfig,
    training: Dataset[Any],
    validation: Dataset[Any],
    config: TrainingConfig,
    name: str,
    *,
    resume: bool,
) -> dict[str, float]:
    """Train a phase, with checkpoints in OUTPUT/name and TensorBoard logs in OUTPUT/log; returns its last figures.

    Checkpoints hold whole epochs. Everything random in an epoch (order, windows, augmentation, dropout) is a function
    of the seed and the epoch, so a run that was killed at any moment and resumed gives the same final weights.
    """
    folder = config.output / name
    last = folder / "last.ckpt"
    hardware = config.hardware
    trainer = pl.Trainer(
        max_epochs=phase.epochs,
        accumulate_grad_batches=phase.accumulate,
        gradient_clip_val=phase.gradient_clip,
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        precision=hardware.precision,
        callbacks=[
            _SeededSteps(config.seed),
            _EpochCheckpoint(last),
        ],
        enable_checkpointing=False,
        logger=TensorBoardLogger(config.output, name="log", version=name),
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        use_distributed_sampler=False,  # EpochSampler shares the epoch out itself
    )
    sampler = EpochSampler(training, seed=config.seed, epoch=lambda: trainer.current_epoch)  # type: ignore[arg-type]
    samples = len(validation)  # type: ignore[arg-type]
    trainer.fit(
        module,
        _loader(training, sampler),
        _loader(validation, None) if samples else None,
        ckpt_path=str(last) if resume and last.exists() else None,
        weights_only=False,
    )
    return _kept_metrics(folder / "metrics.json", trainer)


def _loader(dataset: Dataset[Any], sampler: EpochSampler | None) -> DataLoader[Any]:
    """One window, or one batch of them, a step; no workers, since frames are mapped from disk."""
    return DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=0)


def _kept_metrics(path: Path, trainer: pl.Trainer) -> dict[str, float]:
    """The phase's last figures; those of a phase that was finished before a resume are read back."""
    measured = {key: float(value) for key, value in trainer.callback_metrics.items()}
    if measured and trainer.is_global_zero:
        path.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    elif not measured and path.exists():
        measured = cast("dict[str, float]", json.loads(path.read_text(encoding="utf-8")))
    return measured
