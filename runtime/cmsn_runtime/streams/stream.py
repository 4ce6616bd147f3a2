"""One camera: frames in, events out; offline processing is the same, run to the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from cmsn_runtime.backends.base import Backend
from cmsn_runtime.pictures.fitting import FittedFrame, Fitting
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import FlowSettings, Preprocessing
from cmsn_runtime.provenance import StreamSetup
from cmsn_runtime.streams.current_segment import TimedSettings
from cmsn_runtime.streams.resampling import Resampler
from cmsn_runtime.streams.segment import StepCallback
from cmsn_runtime.streams.timed import Prepared, TimedStream


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings(TimedSettings):
    """All settings of a stream of pictures except its backend; filled in by a bundle.

    receptive_field_frames: that of the extractor; a longer gap ends a segment. model, model_sha256: as in StreamSetup.
    """

    preprocessing: Preprocessing
    receptive_field_frames: int
    model: str = ""
    model_sha256: str = ""

    @property
    def max_gap(self) -> Fraction:
        """Maximum seconds between two frames."""
        return self.receptive_field_frames / self.grid.fps

    @property
    def flow(self) -> FlowSettings | None:
        """See TimedSettings."""
        return self.preprocessing.flow


class Stream(TimedStream[Frame]):
    """The state of one camera; see TimedStream. on_step: see Segment."""

    def __init__(self, backend: Backend, settings: StreamSettings, *, on_step: StepCallback | None = None) -> None:
        self.settings = settings
        self._fitting = Fitting(settings.preprocessing)
        resampler: Resampler[Prepared] = Resampler(settings.grid, max_gap=settings.max_gap)
        settings = replace(settings, setup=_setup(backend, settings))
        super().__init__(backend, settings, resampler, on_step=on_step)

    def _prepared(self, moment: Frame) -> FittedFrame:
        return self._fitting(moment)


def _setup(backend: Backend, settings: StreamSettings) -> StreamSetup:
    return StreamSetup(
        model=settings.model,
        model_sha256=settings.model_sha256,
        backend=backend.name,
        grid=settings.grid,
        receptive_field_frames=settings.receptive_field_frames,
        delay_steps=settings.delay_steps,
        chunk_frames=settings.chunk_frames or backend.chunk_frames or settings.grid.stride,
        hop_steps=settings.hop_steps,
        proposals=settings.proposals,
        tracking=settings.tracking,
    )
