"""An opened bundle whose streams find actions by a script, as if they had run for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from cmsn_benchmarks.device.scripted import ScriptedBackend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.events import StageStep
from cmsn_runtime.provenance import ResumePoint
from cmsn_runtime.streams.feature_stream import FeatureStream
from cmsn_runtime.streams.stream import Stream
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.tracker import TrackerMemory


class ScriptedBundle(Bundle):
    """The networks of `bundle`, which stays open. Its streams begin at the time 0 with a full window behind them."""

    def __init__(self, bundle: Bundle) -> None:
        self.scripted = ScriptedBackend(bundle.backend)
        super().__init__(bundle.path, bundle.manifest, self.scripted, tuning=bundle.tuning, sha256=bundle.sha256)

    def stream(
        self,
        *,
        on_step: Callable[[StageStep], None] | None = None,
        chunk_frames: int | None = None,
        hop_steps: int = 1,
        min_score: float | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Stream:
        """See Bundle."""
        stream = super().stream(
            on_step=on_step, chunk_frames=chunk_frames, hop_steps=hop_steps, min_score=min_score, settings=settings
        )
        stream.resume(_after_a_window(self.grid))
        return stream

    def feature_stream(
        self,
        *,
        on_step: Callable[[StageStep], None] | None = None,
        chunk_rows: int | None = None,
        hop_steps: int = 1,
        min_score: float | None = None,
    ) -> FeatureStream:
        """See Bundle."""
        stream = super().feature_stream(
            on_step=on_step, chunk_rows=chunk_rows, hop_steps=hop_steps, min_score=min_score
        )
        stream.resume(_after_a_window(self.grid))
        return stream


def _after_a_window(grid: TimeGrid) -> ResumePoint:
    """Where a stream that began a window before the time 0 continues at that time."""
    origin = Fraction(-grid.window * grid.step_seconds)
    return ResumePoint(origin, grid.window, grid.window, TrackerMemory(frontier=0, next_action=1, tracks=()))
