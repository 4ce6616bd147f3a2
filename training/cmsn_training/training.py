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
from cmsn_runtime.files import require_writable, written_to
from cmsn_training.checkpoint import save_model
from cmsn_training.config import TrainingConfig
from cmsn_training.data.corpus import AnnotatedVideo
from cmsn_training.data.evaluator_windows import EvaluatorWindows, FeatureTrack, feature_track
from cmsn_training.data.inputs import Inputs
from cmsn_training.data.opening import open_inputs
from cmsn_training.data.picture_statistics import picture_statistics
from cmsn_training.devices import inference_device, require_device
from cmsn_training.extractors.preparing import on_rows, origins, with_networks
from cmsn_training.failing import memory_named
from cmsn_training.fitting import Phase, fit_phase
from cmsn_training.memory import release
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.convolution import convolutions
from cmsn_training.models.pretrained import apply_pretrained, with_pretrained
from cmsn_training.phases.evaluator_phase import EvaluatorPhase
from cmsn_training.phases.stage_phase import StagePhase
from cmsn_training.resuming import PHASES, Checkpoint, checkpoint_path, find_checkpoints
from cmsn_training.stops import stop_line, stopped_after
from cmsn_training.torch_backend import TorchBackend

MODEL_FILE = "model.safetensors"


def train(config: TrainingConfig, *, resume: bool = False) -> Path:
    """Run phase 1, then phase 2, and write OUTPUT/model.safetensors; returns its path.

    resume: continue from the last complete epoch of each phase in the output folder, if any; however the run before
    ended, the final weights are those of an uninterrupted one. Without it an output folder that already holds
    checkpoints is refused, so that no finished training is overwritten by accident.

    Devices, checkpoints and the output folder are checked before the data are read. Raises CmsnError, see errors.py.
    """
    try:
        with memory_named(), stop_line(lambda: stopped_after("stages", 0)):
            return _train(config, resume=resume)
    finally:
        release()


def _train(config: TrainingConfig, *, resume: bool) -> Path:
    rank_zero_only(_require_output)(config.output)
    if not resume and any(checkpoint_path(config.output, phase).exists() for phase in PHASES):
        raise SettingsError(
            f"{config.output}: already holds a training; pass --resume to continue it, or change `output`"
        )
    require_device(config.hardware)
    whole, networks = with_networks(with_pretrained(config))
    config = on_rows(whole)
    begun = find_checkpoints(config)
    pl.seed_everything(config.seed, verbose=False)
    inputs = open_inputs(whole, networks)
    model = CMSN(config)
    pretrained = apply_pretrained(model, config)
    inputs.prepare(model)
    metrics = _train_stages(model, config, inputs, begun.get("stages"))
    release()
    with stop_line(lambda: stopped_after("stages", config.stages.epochs)):
        metrics |= _train_evaluator(model, config, inputs, begun.get("evaluator"))
    path = config.output / MODEL_FILE
    with stop_line(lambda: stopped_after("evaluator", config.evaluator.epochs)):
        provenance = _provenance(whole, inputs, metrics, pretrained)
        rank_zero_only(save_model)(inputs.deployed(model.eval()), whole, provenance, path)
    return path


def _require_output(output: Path) -> None:
    """Make the output folder. Raises CmsnError where it cannot be made, or nothing can be written there."""
    with written_to(output):
        if output.exists() and not output.is_dir():
            raise SettingsError(f"output is {output}, which is a file; give a folder, or a name that is not in use")
        output.mkdir(parents=True, exist_ok=True)
        require_writable(output / MODEL_FILE)


def _train_stages(model: CMSN, config: TrainingConfig, inputs: Inputs, begun: Checkpoint | None) -> dict[str, float]:
    module = StagePhase(model, config)
    training = inputs.windows(inputs.training, learning=True)
    validation = inputs.windows(inputs.held_out, learning=False)
    metrics = fit_phase(module, Phase("stages", config.stages, begun), training, validation, config)
    for convolution in convolutions(model):
        convolution.fold_norm()
    return metrics


def _train_evaluator(model: CMSN, config: TrainingConfig, inputs: Inputs, begun: Checkpoint | None) -> dict[str, float]:
    phase = config.evaluator
    if phase.epochs == 0:  # Table 6 compares rankings by the pre-score alone
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
    return fit_phase(EvaluatorPhase(model, config), Phase("evaluator", phase, begun), training, validation, config)


def _tracks(
    model: CMSN, inputs: Inputs, videos: Sequence[AnnotatedVideo], *, seed: int, views: int, device: torch.device
) -> list[FeatureTrack]:
    """Each video unchanged, and views - 1 times with a new augmentation; the model is on the CPU before and after."""
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
    """Where a model comes from, in JSON values: its data, the libraries, and the final metrics."""

    def summary(videos: Sequence[AnnotatedVideo]) -> dict[str, float]:
        fps = float(on_rows(config).grid.fps)
        return {
            "videos": len(videos),
            "actions": sum(len(video.segments) for video in videos),
            "seconds": round(sum(len(video.frames) for video in videos) / fps, 3),
        }

    on_pictures = config.features is None and config.extractor is None
    pictures = picture_statistics([video.frames for video in inputs.training]) if on_pictures else {}
    libraries = ("torch", "lightning", "numpy", "av")
    return {
        "training": summary(inputs.training),
        "validation": summary(inputs.held_out),
        **({"pictures": pictures} if pictures else {}),
        **({"pretrained": pretrained} if pretrained else {}),
        **({"networks": origins(config.extractor)} if config.extractor else {}),
        "metrics": {key: round(value, 6) for key, value in sorted(metrics.items())},
        "seed": config.seed,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
    }
