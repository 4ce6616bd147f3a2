"""One phase on a Lightning trainer, so that an interrupted run ends in the weights of an uninterrupted one."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.files import write_whole
from cmsn_training.callbacks import EpochCheckpoint, FiniteOnly, SeededSteps
from cmsn_training.config import TrainingConfig
from cmsn_training.config_sections import PhaseConfig
from cmsn_training.data.sampling_order import EpochSampler
from cmsn_training.failing import disk_named
from cmsn_training.resuming import Checkpoint, Record, checkpoint_path, deciding_settings
from cmsn_training.stops import HeedSignals, stop_line, stopped_after

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Phase:
    """name: of its section in the configuration, and of its folder. begun: the checkpoint to continue from, if any."""

    name: str
    settings: PhaseConfig
    begun: Checkpoint | None


def fit_phase(
    module: pl.LightningModule,
    phase: Phase,
    training: Dataset[Any],
    validation: Dataset[Any],
    config: TrainingConfig,
) -> dict[str, float]:
    """Train a phase, with checkpoints in OUTPUT/name and TensorBoard logs in OUTPUT/log; returns its last metrics.

    Checkpoints hold whole epochs. Everything random in an epoch (order, windows, augmentation, dropout) is a function
    of the seed and the epoch, so a run that was killed at any moment and resumed gives the same final weights.

    Raises SettingsError where there is nothing to learn from, where the loss is not finite, where a checkpoint does not
    fit, and for a device that Lightning refuses; OutputError where the output folder cannot be written.
    """
    items = len(training)  # type: ignore[arg-type]
    if not items:
        step = float(config.time_grid().step_seconds)
        raise SettingsError(
            f"[{phase.name}]: no training video is as long as one step ({step:g} s), so there is nothing to learn "
            "from; add longer ones, or check grid.fps"
        )
    begun, last = phase.begun, checkpoint_path(config.output, phase.name)
    if begun is not None:
        begun.require_fitting({name: tuple(value.shape) for name, value in module.state_dict().items()}, items)
    record = Record(deciding_settings(config, phase.name), items)
    keeper = EpochCheckpoint(last, record, epochs=begun.epochs if begun else 0)
    with disk_named(config.output), stop_line(lambda: stopped_after(phase.name, keeper.epochs)):
        trainer = _trainer(config, phase, keeper)
        if items < trainer.world_size:
            raise SettingsError(
                f"[{phase.name}]: {items} items per epoch are too few for {trainer.world_size} processes; lower "
                "hardware.devices, or raise stages.windows_per_video or evaluator.windows_per_view"
            )
        sampler = EpochSampler(training, seed=config.seed, epoch=lambda: trainer.current_epoch)  # type: ignore[arg-type]
        trainer.fit(
            module,
            _loader(training, sampler),
            _loader(validation, None) if len(validation) else None,  # type: ignore[arg-type]
            ckpt_path=str(begun.path) if begun else None,
            weights_only=True,
        )
    return _kept_metrics(config.output / phase.name / "metrics.json", trainer)


def _trainer(config: TrainingConfig, phase: Phase, keeper: EpochCheckpoint) -> pl.Trainer:
    hardware, settings = config.hardware, phase.settings
    try:
        return pl.Trainer(
            max_epochs=settings.epochs,
            accumulate_grad_batches=settings.accumulate,
            gradient_clip_val=settings.gradient_clip,
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            precision=hardware.precision,
            callbacks=[HeedSignals(), SeededSteps(config.seed), FiniteOnly(phase.name, keeper.path), keeper],
            enable_checkpointing=False,
            logger=TensorBoardLogger(config.output, name="log", version=phase.name),
            log_every_n_steps=10,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            use_distributed_sampler=False,  # EpochSampler distributes the epoch itself
        )
    except MisconfigurationException as error:
        raise SettingsError(f"[hardware] does not fit this machine: {error}") from error


def _loader(dataset: Dataset[Any], sampler: EpochSampler | None) -> DataLoader[Any]:
    """One window, or one batch of them, per step; no workers, since frames are mapped from disk."""
    return DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=0)


def _kept_metrics(path: Path, trainer: pl.Trainer) -> dict[str, float]:
    """The phase's last metrics; those of a phase that was finished before a resume are read back."""
    measured = {key: float(value) for key, value in trainer.callback_metrics.items()}
    if measured and trainer.is_global_zero:
        write_whole(path, (json.dumps(measured, indent=1) + "\n").encode())
    elif not measured and path.exists():
        try:
            measured = cast("dict[str, float]", json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            _LOG.warning("%s: cannot be read (%s); the model is saved without these metrics", path, error)
    return measured
