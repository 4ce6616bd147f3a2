"""`cmsn train`: both phases on Lightning, from a configuration to one model file."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from rich.progress import track

from cmsn_runtime.errors import SettingsError
from cmsn_training.checkpoint import save_model
from cmsn_training.config import TrainingConfig
from cmsn_training.data.corpus import AnnotatedVideo
from cmsn_training.data.evaluator_windows import EvaluatorWindows, FeatureTrack, feature_track
from cmsn_training.data.inputs import Inputs, open_inputs
from cmsn_training.devices import inference_device
from cmsn_training.fitting import fit_phase
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.convolution import convolutions
from cmsn_training.models.pretrained import apply_pretrained, with_pretrained
from cmsn_training.phases.evaluator_phase import EvaluatorPhase
from cmsn_training.phases.stage_phase import StagePhase
from cmsn_training.torch_backend import TorchBackend

MODEL_FILE = "model.safetensors"


def train(config: TrainingConfig, *, resume: bool = False) -> Path:
    """Run phase 1, then phase 2, and write OUTPUT/model.safetensors; returns its path.

    resume: go on from the last whole epoch of each phase in the output folder, if there is one; however the run before
    ended, the final weights are those of an unbroken one. Without it an output folder that already holds checkpoints
    is refused, so that no finished training is overwritten by accident.
    """
    if not resume and any(config.output.glob("*/last.ckpt")):
        raise SettingsError(f"{config.output}: holds a training already; pass --resume to go on, or change `output`")
    config = with_pretrained(config)
    pl.seed_everything(config.seed, verbose=False)
    inputs = open_inputs(config)
    model = CMSN(config)
    pretrained = apply_pretrained(model, config)
    inputs.prepare(model)
    metrics = _train_stages(model, config, inputs, resume=resume)
    metrics |= _train_evaluator(model, config, inputs, resume=resume)
    path = config.output / MODEL_FILE
    rank_zero_only(save_model)(model.eval(), config, _provenance(config, inputs, metrics, pretrained), path)
    return path


def _train_stages(model: CMSN, config: TrainingConfig, inputs: Inputs, *, resume: bool) -> dict[str, float]:
    module = StagePhase(model, config)
    training = inputs.windows(inputs.training, learning=True)
    validation = inputs.windows(inputs.held_out, learning=False)
    metrics = fit_phase(module, config.stages, training, validation, config, "stages", resume=resume)
    for convolution in convolutions(model):
        convolution.fold_norm()
    return metrics


def _train_evaluator(model: CMSN, config: TrainingConfig, inputs: Inputs, *, resume: bool) -> dict[str, float]:
    phase = config.evaluator
    if phase.epochs == 0:  # Table 6 compares what the pre-score alone ranks
        return {}
    model.cpu().eval()

    def windows(videos: Sequence[AnnotatedVideo], *, views: int) -> EvaluatorWindows:
        return EvaluatorWindows(
            model,
            _tracks(model, inputs, videos, seed=config.seed, views=views, device=inference_device(config.hardware)),
            grid=config.time_grid(),
            settings=config.proposal_settings(),
            seed=config.seed,
            windows_per_track=phase.windows_per_view,
            least=phase.least,
            most=phase.most,
        )

    training = windows(inputs.training, views=phase.views)
    validation = windows(inputs.held_out, views=1)
    return fit_phase(EvaluatorPhase(model, config), phase, training, validation, config, "evaluator", resume=resume)


def _tracks(
    model: CMSN, inputs: Inputs, videos: Sequence[AnnotatedVideo], *, seed: int, views: int, device: torch.device
) -> list[FeatureTrack]:
    """Each video as it is, and views - 1 times augmented anew; the model is on the CPU before and after."""
    jobs = [(video, number, view) for number, video in enumerate(videos) for view in range(views)]
    tracks: list[FeatureTrack] = []
    model.extractor.to(device)
    with TorchBackend(model) as backend:
        for video, number, view in track(jobs, "Extracting features"):
            rng = np.random.default_rng((seed, number, view)) if view else None
            tracks.append(feature_track(backend, *inputs.view(video, rng)))
    model.extractor.cpu()
    return tracks


def _provenance(
    config: TrainingConfig, inputs: Inputs, metrics: dict[str, float], pretrained: dict[str, str] | None
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
        "training": summary(inputs.training),
        "validation": summary(inputs.held_out),
        **({"pretrained": pretrained} if pretrained else {}),
        "metrics": {key: round(value, 6) for key, value in sorted(metrics.items())},
        "seed": config.seed,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
    }
