"""One pass over the joined features of all parts: the events of the whole video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cmsn_runtime.archive.splitting.computing import PartFeatures
from cmsn_runtime.backends.asks import Evaluate, Extract, ExtractorState, FeatureWindow, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.closing import Closing
from cmsn_runtime.events import Event
from cmsn_runtime.streams.resampling import Resampler
from cmsn_runtime.streams.stream import StreamSettings
from cmsn_runtime.streams.timed import Prepared, TimedStream


def joined(parts: Sequence[PartFeatures]) -> npt.NDArray[np.float32] | None:
    """The features of all parts; None where a part and the next differ in the step that both have computed."""
    for one, following in pairwise(parts):
        if not len(following.features) or not np.array_equal(one.features[-1], following.features[0]):
            return None
    return np.concatenate([part.features[:-1] for part in parts[:-1]] + [parts[-1].features])


def events_of(
    bundle: Bundle,
    features: npt.NDArray[np.float32],
    *,
    origin: Fraction,
    frames: int,
    chunk_frames: int,
    hop_steps: int,
) -> list[Event]:
    """Final events of a segment of that many model frames whose features are known: exactly those of its stream."""
    settings = bundle.stream_settings(chunk_frames=chunk_frames, hop_steps=hop_steps)
    grid = bundle.grid
    replay = _Replay(bundle.backend, features, stride=grid.stride, delay_steps=settings.delay_steps)
    with _KnownStream(replay, settings) as stream:
        events = [event for index in range(frames) for event in stream.push(_Blank(origin + index / grid.fps))]
        events += stream.flush()
    return [event for event in events if isinstance(event, Event) and event.kind == "final"]


@dataclass(frozen=True, slots=True)
class _Blank:
    """A moment whose features are known."""

    seconds: Fraction
    discontinuity: bool = False
    duration: Fraction | None = None

    def values(self) -> npt.NDArray[np.uint8]:
        return _NOTHING


_NOTHING = np.zeros(1, np.uint8)


class _KnownStream(TimedStream[_Blank]):
    """The stream of a video whose features are known; its pictures are blank."""

    def __init__(self, backend: Backend, settings: StreamSettings) -> None:
        plain = replace(settings, preprocessing=replace(settings.preprocessing, flow=None))
        resampler: Resampler[Prepared] = Resampler(settings.grid, max_gap=settings.max_gap)
        super().__init__(backend, plain, resampler)

    def _prepared(self, moment: _Blank) -> _Blank:
        return moment


class _State:
    """Nothing: the features are known."""

    def close(self) -> None:
        """Nothing to release."""


class _Replay(Closing):
    """A backend whose extractor has answered already; the other networks are computed by the one behind it."""

    def __init__(self, backend: Backend, features: npt.NDArray[np.float32], *, stride: int, delay_steps: int) -> None:
        self._backend = backend
        self._features = features
        self._stride = stride
        self._delay_steps = delay_steps
        self.name = backend.name
        self.chunk_frames = backend.chunk_frames
        self.largest_batch = backend.largest_batch

    def close(self) -> None:
        """Nothing to release."""

    def new_state(self) -> ExtractorState:
        """See Backend.new_state."""
        return _State()

    def new_window(self, steps: int) -> FeatureWindow:
        """See Backend.new_window."""
        return self._backend.new_window(steps)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        return [self._known(ask) for ask in asks]

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        return self._backend.stages(asks)

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        return self._backend.evaluate(asks)

    def _known(self, ask: Extract) -> StepFeatures:
        first = ask.position // self._stride - self._delay_steps
        steps = np.arange(first, first + len(ask.frames) // self._stride)
        inside = (steps >= 0) & (steps < len(self._features))
        rows = np.zeros((len(steps), self._features.shape[1]), np.float32)
        rows[inside] = self._features[steps[inside]]
        return rows
