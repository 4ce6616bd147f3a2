"""A trained model over whole videos, through the very pipeline that is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.events import Proposal, StreamEvent
from cmsn_runtime.sources.features import FeatureSource
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.stages import STAGE_COUNT
from cmsn_runtime.streams.feature_stream import FeatureStream, FeatureStreamSettings
from cmsn_runtime.streams.segment import StepCallback
from cmsn_runtime.streams.stream import Stream, StreamSettings
from cmsn_training.config import TrainingConfig
from cmsn_training.models.cmsn import CMSN
from cmsn_training.torch_backend import TorchBackend


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """All that a stream reported of one video, and the stage probabilities float32 [n, 6] of its steps."""

    events: tuple[StreamEvent, ...]
    probabilities: npt.NDArray[np.float32]

    @property
    def proposals(self) -> list[Proposal]:
        """The final ones, best first."""
        finals = [one.proposal for one in self.events if one.kind == "final"]
        return sorted(finals, key=lambda proposal: -proposal.score)


def predict(model: CMSN, config: TrainingConfig, video: Path | str, *, hop_steps: int = 1) -> Prediction:
    """Stream one video, or one file of feature rows, from begin to end. Raises SourceError.

    hop_steps: see SegmentSettings; half the window is the paper's schedule.
    """
    probabilities: list[npt.NDArray[np.float32]] = []
    events: list[StreamEvent] = []
    with TorchBackend(model) as backend:
        stream = open_stream(
            backend, config, hop_steps=hop_steps, on_step=lambda s: probabilities.append(s.probabilities)
        )
        if isinstance(stream, FeatureStream):
            with FeatureSource(video, rate=config.grid.fps, width=stream.settings.width) as rows:
                for row in rows:
                    events += stream.push(row)
        else:
            with open_source(video) as frames:
                for frame in frames:
                    events += stream.push(frame)
        events += stream.flush()
    return Prediction(tuple(events), np.array(probabilities, dtype=np.float32).reshape(-1, STAGE_COUNT))


def open_stream(
    backend: TorchBackend, config: TrainingConfig, *, hop_steps: int = 1, on_step: StepCallback | None = None
) -> Stream | FeatureStream:
    """A stream of the kind the configuration takes, as a bundle of it would open one."""
    extractor = backend.model.extractor
    grid, proposals, tracking = config.time_grid(), config.proposal_settings(), config.tracking
    if config.features is not None:
        rows = FeatureStreamSettings(
            grid=grid,
            proposals=proposals,
            tracking=tracking,
            hop_steps=hop_steps,
            width=config.features.width,
            delay_steps=extractor.delay_steps,
        )
        return FeatureStream(backend, rows, on_step=on_step)
    frames = StreamSettings(
        grid=grid,
        proposals=proposals,
        tracking=tracking,
        hop_steps=hop_steps,
        preprocessing=config.picture(),
        delay_steps=extractor.delay_steps,
        receptive_field_frames=extractor.receptive_field_frames,
        chunk_frames=grid.stride,
    )
    return Stream(backend, frames, on_step=on_step)
