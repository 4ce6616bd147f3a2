"""One stream of feature rows: rows in, events out, as Stream does with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import Reset, StreamEvent
from cmsn_runtime.streams.extracting import StreamingExtractor
from cmsn_runtime.streams.segment import Segment, SegmentSettings, StepCallback


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRow:
    """What another network, or a sensor, says of one moment: two-stream scores, joints of a skeleton.

    values: float32 [width]. seconds: when it begins, exact. discontinuity: as in Frame.
    """

    values: npt.NDArray[np.float32]
    seconds: Fraction
    discontinuity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStreamSettings(SegmentSettings):
    """width: values in a row. delay_steps: of the pooling. chunk_rows: rows run at once, a multiple of the stride."""

    width: int
    delay_steps: int
    chunk_rows: int | None = None


class FeatureStream:
    """The state of one stream of rows. Rows come at the model's own rate; there is no resampling.

    A row marked as a discontinuity, or one that comes more than a window early or late, ends the segment: what was
    seen is settled and all begins anew. Smaller irregularities are taken as jitter: the row has the next place.
    on_step: see Segment.
    """

    def __init__(
        self, backend: Backend, settings: FeatureStreamSettings, *, on_step: StepCallback | None = None
    ) -> None:
        self.settings = settings
        self._backend = backend
        self._on_step = on_step
        self._extractor = StreamingExtractor(
            backend,
            stride=settings.grid.stride,
            delay_steps=settings.delay_steps,
            chunk_frames=settings.chunk_rows,
        )
        self._newest = Fraction(0)
        self._begin_segment(Fraction(0), first_action=1)

    def __enter__(self) -> FeatureStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._extractor.reset()

    def push(self, row: FeatureRow) -> list[StreamEvent]:
        """Take one row -> what is to be said now. Raises SettingsError where its width or a value cannot be."""
        values = np.asarray(row.values, dtype=np.float32)
        if values.shape != (self.settings.width,) or not np.isfinite(values).all():
            raise SettingsError(
                f"a feature row has the shape {list(values.shape)} and {np.count_nonzero(~np.isfinite(values))} values "
                f"that are not finite; this model takes {self.settings.width} finite values a row; "
                "check how the features were made"
            )
        events = self._open_segment(row)
        self._newest = row.seconds
        self._rows += 1
        features = self._extractor.push(values)
        return events + self._segment.push(features, now=self._newest, until=self._until())

    def flush(self) -> list[StreamEvent]:
        """End of the stream -> everything not yet said, all of it final. The stream can then be used anew."""
        events = self._end_segment()
        self._begin_segment(Fraction(0), first_action=self._segment.next_action)
        return events

    def _open_segment(self, row: FeatureRow) -> list[StreamEvent]:
        """Begin a segment at the first row, and anew where rows are missing."""
        if self._rows == 0:
            self._begin_segment(row.seconds, first_action=self._segment.next_action)
            return []
        grid = self.settings.grid
        late = row.seconds - self._until()
        if not row.discontinuity and abs(late) <= grid.window * grid.step_seconds:
            return []
        events = self._end_segment()
        reason = "the source jumped" if row.discontinuity else f"a row came {float(late):.3f} s late"
        events.append(Reset(row.seconds, reason))
        self._begin_segment(row.seconds, first_action=self._segment.next_action)
        return events

    def _begin_segment(self, origin: Fraction, *, first_action: int) -> None:
        self._rows = 0
        self._segment = Segment(
            self._backend, self.settings, origin=origin, first_action=first_action, on_step=self._on_step
        )

    def _end_segment(self) -> list[StreamEvent]:
        until = self._until()
        events = self._segment.push(self._extractor.flush(), now=self._newest, until=until)
        return [*events, *self._segment.end(now=self._newest, until=until)]

    def _until(self) -> Fraction:
        return self.settings.grid.frame_time(self._rows, self._segment.origin)
