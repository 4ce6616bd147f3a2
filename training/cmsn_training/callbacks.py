"""Callbacks between the batches and epochs of a phase: seeds, checkpoints, and a check of every loss."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.files import replacing
from cmsn_training.resuming import RECORD, Record


class SeededSteps(pl.Callback):
    """Dropout's randomness depends on the step and not on what came before it.

    Seeding each epoch is not enough: data loaders draw from the same generator, and a resumed run creates them in
    another order.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        key = (self.seed, trainer.current_epoch, index, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))


class EpochCheckpoint(pl.Callback):
    """FOLDER/last.ckpt after each epoch, written atomically: a kill leaves the complete old or new one.

    Lightning's own callback writes the last checkpoint only where it also keeps the best few.
    record: is stored in it, for a later resume. epochs: number of finished epochs in the checkpoint.
    """

    def __init__(self, path: Path, record: Record, *, epochs: int) -> None:
        self.path = path
        self.record = record
        self.epochs = epochs

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[RECORD] = json.dumps(asdict(self.record))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as unfinished:
                trainer.save_checkpoint(unfinished)
        else:  # every process must take part, and only the first one writes
            trainer.save_checkpoint(self.path)
        self.epochs = trainer.current_epoch + 1


class FiniteOnly(pl.Callback):
    """Ends a training whose loss, weights or metrics are not finite.

    phase: its name, for messages. Must come before EpochCheckpoint, so that no checkpoint holds such weights.
    """

    def __init__(self, phase: str, checkpoint: Path) -> None:
        self.phase = phase
        self.checkpoint = checkpoint
        self._batch = 0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        self._batch = index

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        if not torch.isfinite(loss):
            raise self._diverged(f"the loss is {loss.item()}", trainer, f", batch {self._batch + 1}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, value in pl_module.state_dict().items():
            if not torch.isfinite(value).all():
                raise self._diverged(f"{name} holds values that are not finite", trainer, " (after its last batch)")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, value in trainer.callback_metrics.items():
            if not torch.isfinite(value):
                raise self._diverged(f"{name} is {value.item()}", trainer, " (on the validation videos)")

    def _diverged(self, what: str, trainer: pl.Trainer, where: str) -> SettingsError:
        kept = f"{self.checkpoint} holds the epochs before" if self.checkpoint.exists() else "no epoch was finished"
        return SettingsError(
            f"{self.phase}: {what} in epoch {trainer.current_epoch + 1}{where}; lower {self.phase}.learning_rate or "
            f"set {self.phase}.gradient_clip, and train again; {kept}"
        )
