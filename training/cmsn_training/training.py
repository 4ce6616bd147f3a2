"""`cmsn train`: both phases on Lightning, from a configuration to one model file."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_training.config import PhaseConfig, TrainingConfig
from cmsn_training.data.cache import FrameCache
from cmsn_training.data.corpus import AnnotatedVideo, load_corpus
from cmsn_training.data.evaluator_windows import EvaluatorWindows, FeatureTrack, feature_track
from cmsn_training.data.sampling_order import EpochSampler
from cmsn_training.data.windows import Augmentation, StageWindows
from cmsn_training.models.cmsn import CMSN, save_model
from cmsn_training.models.convolution import convolutions
from cmsn_training.phases.evaluator_phase import EvaluatorPhase
from cmsn_training.phases.stage_phase import StagePhase

MODEL_FILE = "model.safetensors"


def train(config: TrainingConfig, *, resume: bool = False) -> Path:
    """Run phase 1, then phase 2, and write OUTPUT/model.safetensors; returns its path.

    resume: go on from the last whole epoch of each phase in the output folder, if there is one. Without it an
    output folder that already holds checkpoints is refused, so that no finished training is overwritten by accident.
    """
    if not resume and any(config.output.glob("*/last.ckpt")):
        raise SettingsError(f"{config.output}: holds a training already; pass --resume to go on, or change `output`")
    pl.seed_everything(config.seed, verbose=False)
    cache = FrameCache(config.data.cache, grid=config.time_grid(), preprocessing=config.picture())
    corpus, held_out = _load(config, cache)
    model = CMSN(config)
    stage_metrics = _train_stages(model, config, corpus, held_out, resume=resume)
    evaluator_metrics = _train_evaluator(model, config, corpus, held_out, resume=resume)
    provenance = _provenance(config, corpus, held_out, {**stage_metrics, **evaluator_metrics})
    path = config.output / MODEL_FILE
    save_model(model.eval(), config, provenance, path)
    return path


def _load(config: TrainingConfig, cache: FrameCache) -> tuple[list[AnnotatedVideo], list[AnnotatedVideo]]:
    data = config.data

    def load(videos: Path, annotations: Path, what: str) -> list[AnnotatedVideo]:
        return load_corpus(
            videos, annotations, cache, progress=lambda items: track(list(items), f"Decoding {what} videos")
        )

    held_out: list[AnnotatedVideo] = []
    if data.validation_videos is not None and data.validation_annotations is not None:
        held_out = load(data.validation_videos, data.validation_annotations, "validation")
    return load(data.videos, data.annotations, "training"), held_out


def _train_stages(
    model: CMSN,
    config: TrainingConfig,
    corpus: Sequence[AnnotatedVideo],
    held_out: Sequence[AnnotatedVideo],
    *,
    resume: bool,
) -> dict[str, float]:
    phase = config.stages
    grid = config.time_grid()
    # Frames arrive with their channels last; weights of the same layout double the speed on CPUs, and suit GPUs.
    model.extractor.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    training = StageWindows(
        corpus,
        grid=grid,
        augmentation=Augmentation(flip=phase.flip, light=phase.light),
        seed=config.seed,
        windows_per_video=phase.windows_per_video,
    )
    validation = StageWindows(held_out, grid=grid, augmentation=None, seed=config.seed)
    metrics = _fit(StagePhase(model, config), phase, training, validation, config, "stages", resume=resume)
    for convolution in convolutions(model):
        convolution.fold_norm()
    return metrics


def _train_evaluator(
    model: CMSN,
    config: TrainingConfig,
    corpus: Sequence[AnnotatedVideo],
    held_out: Sequence[AnnotatedVideo],
    *,
    resume: bool,
) -> dict[str, float]:
    phase = config.evaluator
    model.eval()

    def windows(tracks: Sequence[FeatureTrack]) -> EvaluatorWindows:
        return EvaluatorWindows(
            model,
            tracks,
            grid=config.time_grid(),
            settings=ProposalSettings(roi_bins=config.model.roi_bins),
            seed=config.seed,
            windows_per_track=phase.windows_per_view,
            least=phase.least,
        )

    training = windows(_tracks(model, config, corpus, views=phase.views))
    validation = windows(_tracks(model, config, held_out, views=1))
    return _fit(EvaluatorPhase(model, config), phase, training, validation, config, "evaluator", resume=resume)


def _tracks(model: CMSN, config: TrainingConfig, videos: Sequence[AnnotatedVideo], *, views: int) -> list[FeatureTrack]:
    augmentation = Augmentation(flip=config.stages.flip, light=config.stages.light)
    grid = config.time_grid()
    rng = np.random.default_rng(config.seed)
    jobs = [
        (video, int(rng.integers(grid.stride)) if view else 0, augmentation if view else None)
        for video in videos
        for view in range(views)
    ]
    return [
        feature_track(model, video, grid=grid, shift=shift, augmentation=change, seed=number)
        for number, (video, shift, change) in enumerate(track(jobs, "Extracting features"))
    ]


def _fit(
    module: pl.LightningModule,
    phase: PhaseConfig,
    training: Dataset[Any],
    validation: Dataset[Any],
    config: TrainingConfig,
    name: str,
    *,
    resume: bool,
) -> dict[str, float]:
    folder = config.output / name
    trainer = pl.Trainer(
        max_epochs=phase.epochs,
        accumulate_grad_batches=phase.accumulate,
        gradient_clip_val=phase.gradient_clip,
        # Only whole epochs: a run that goes on sees what the unbroken one would have seen.
        callbacks=[ModelCheckpoint(folder, save_last=True, save_top_k=0, save_on_train_epoch_end=True)],
        logger=TensorBoardLogger(config.output, name="log", version=name),
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    trainer.fit(
        module,
        _loader(training, config.seed),
        _loader(validation, None) if len(validation) else None,  # type: ignore[arg-type]
        ckpt_path=str(last) if resume and last.exists() else None,
    )
    return _kept_metrics(folder / "metrics.json", trainer)


def _kept_metrics(path: Path, trainer: pl.Trainer) -> dict[str, float]:
    """The phase's last figures; those of a phase that was finished before a resume are read back."""
    measured = {key: float(value) for key, value in trainer.callback_metrics.items()}
    if measured:
        path.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    elif path.exists():
        measured = json.loads(path.read_text(encoding="utf-8"))
    return measured


def _loader(dataset: Dataset[Any], seed: int | None) -> DataLoader[Any]:
    """One window a batch, as in the paper; no workers, since frames are mapped from disk. seed None: in order."""
    sampler = None if seed is None else EpochSampler(dataset, seed=seed)  # type: ignore[arg-type]
    return DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=0)


def _provenance(
    config: TrainingConfig,
    corpus: Sequence[AnnotatedVideo],
    held_out: Sequence[AnnotatedVideo],
    metrics: dict[str, float],
) -> dict[str, Any]:
    """Where a model comes from, in JSON values: what was learnt from, with what, to which figures."""

    def summary(videos: Sequence[AnnotatedVideo]) -> dict[str, float]:
        fps = float(config.grid.fps)
        return {
            "videos": len(videos),
            "actions": sum(len(video.segments) for video in videos),
            "seconds": round(sum(len(video.frames) for video in videos) / fps, 3),
        }

    libraries = ("torch", "lightning", "numpy", "av")
    return {
        "training": summary(corpus),
        "validation": summary(held_out),
        "metrics": {key: round(value, 6) for key, value in sorted(metrics.items())},
        "seed": config.seed,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
    }
