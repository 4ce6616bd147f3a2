"""One phase on a Lightning trainer, so that an interrupted run ends in the weights of an unbroken one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from cmsn_training.config import PhaseConfig, TrainingConfig
from cmsn_training.data.sampling_order import EpochSampler


class _SeededEpochs(pl.Callback):
    """Dropout's randomness depends on the epoch and not on what came before it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.manual_seed(self.seed * 100_003 + trainer.current_epoch * 101 + trainer.global_rank)


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
    hardware = config.hardware
    trainer = pl.Trainer(
        max_epochs=phase.epochs,
        accumulate_grad_batches=phase.accumulate,
        gradient_clip_val=phase.gradient_clip,
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        precision=hardware.precision,
        callbacks=[
            _SeededEpochs(config.seed),
            ModelCheckpoint(folder, save_last=True, save_top_k=0, save_on_train_epoch_end=True),
        ],
        logger=TensorBoardLogger(config.output, name="log", version=name),
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        use_distributed_sampler=False,  # EpochSampler shares the epoch out itself
    )
    last = folder / "last.ckpt"
    samples = len(validation)  # type: ignore[arg-type]
    trainer.fit(
        module,
        _loader(training, EpochSampler(training, seed=config.seed)),  # type: ignore[arg-type]
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
