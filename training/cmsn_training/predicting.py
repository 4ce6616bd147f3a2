"""A trained model over whole videos, through the deployed pipeline."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.collecting import Prediction, collect
from cmsn_runtime.errors import SettingsError, SourceWarning
from cmsn_runtime.sources.features import FeatureSource
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.stages import STAGE_COUNT
from cmsn_runtime.streams.feature_stream import FeatureStream, FeatureStreamSettings
from cmsn_runtime.streams.segment import StepCallback
from cmsn_runtime.streams.stream import Stream, StreamSettings
from cmsn_training.config import TrainingConfig
from cmsn_training.models.cmsn import CMSN
from cmsn_training.torch_backend import TorchBackend


def predict(model: CMSN, config: TrainingConfig, video: Path | str, *, hop_steps: int = 1) -> Prediction:
    """Stream one video, or one file of feature rows, from begin to end, with its steps. Raises SourceError.

    hop_steps: see SegmentSettings; half the window is the paper's schedule. A video that breaks off is evaluated
    up to the break, with a SourceWarning.
    """
    with TorchBackend(model) as backend:
        if config.features is not None:
            with FeatureSource(video, rate=config.grid.fps, width=config.features.width) as rows:
                found = collect(partial(_feature_stream, backend, config, hop_steps), rows, steps=True)
        else:
            with open_source(video) as frames:
                found = collect(partial(_stream, backend, config, hop_steps), frames, steps=True)
    if found.ending.reason:
        line = f"{found.name}: only the part before is evaluated ({found.ending.reason})"
        warnings.warn(line, SourceWarning, stacklevel=2)
    return found


def stage_probabilities(found: Prediction) -> npt.NDArray[np.float32]:
    """Those of all steps, float32 [n, 6]."""
    rows = [step.probabilities for step in found.steps]
    return np.array(rows, dtype=np.float32).reshape(-1, STAGE_COUNT)


def _feature_stream(
    backend: TorchBackend, config: TrainingConfig, hop_steps: int, *, on_step: StepCallback
) -> FeatureStream:
    """As a bundle of it would open one."""
    if config.features is None:
        raise SettingsError("the model takes pictures, not feature rows")
    settings = FeatureStreamSettings(
        grid=config.time_grid(),
        proposals=config.proposal_settings(),
        tracking=config.tracking,
        hop_steps=hop_steps,
        width=config.features.width,
        delay_steps=backend.model.extractor.delay_steps,
    )
    return FeatureStream(backend, settings, on_step=on_step)


def _stream(backend: TorchBackend, config: TrainingConfig, hop_steps: int, *, on_step: StepCallback) -> Stream:
    """As a bundle of it would open one."""
    extractor = backend.model.extractor
    settings = StreamSettings(
        grid=config.time_grid(),
        proposals=config.proposal_settings(),
        tracking=config.tracking,
        hop_steps=hop_steps,
        preprocessing=config.picture(),
        delay_steps=extractor.delay_steps,
        receptive_field_frames=extractor.receptive_field_frames,
        chunk_frames=config.grid.stride,
    )
    return Stream(backend, settings, on_step=on_step)
