"""Cameras in step: each is pushed the frames of a hop, and what follows from the last of them is timed by its parts."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from cmsn_benchmarks.device.parts import Part
from cmsn_benchmarks.device.scripted_bundle import ScriptedBundle
from cmsn_runtime.backends.answering import answer
from cmsn_runtime.backends.asks import Answer, Ask, Evaluate, Extract, Stages, Work
from cmsn_runtime.closing import Closing
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.pictures.example import moving_picture
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.streams.feature_stream import FeatureRow

_POOL = 16  # different moments, shown in rotation

# A camera's stream: number of a moment -> the work of its push.
Pusher: TypeAlias = Callable[[int], Work[list[StreamEvent]]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Asks of one kind. answering: the part that answers them. after: the part that takes the answer further."""

    ask: type[Extract] | type[Stages] | type[Evaluate]
    answering: Part
    after: Part


_KINDS = (
    _Kind(Extract, "extract", "stages"),  # the window is filled for the stage network
    _Kind(Stages, "stages", "propose"),
    _Kind(Evaluate, "evaluate", "rank"),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """One query. parts: seconds of each. events: number that it led to."""

    parts: dict[Part, float]
    events: int

    @property
    def seconds(self) -> float:
        """From the push of the frames that completed the hop until the last event was returned: that of all parts."""
        return sum(self.parts.values())


class SteadyCameras(Closing):
    """Streams of one bundle that complete their hops with the same frame.

    frames: number of each camera in a query. Frames have the size that captures deliver them in.
    """

    def __init__(self, bundle: ScriptedBundle, count: int) -> None:
        self.count = count
        self.frames = bundle.backend.chunk_frames or bundle.grid.stride
        self._backend = bundle.backend
        self._streams: list[Closing] = []
        self._next = 0
        try:
            self._pushers = [self._opened(bundle, seed) for seed in range(count)]
        except BaseException:
            self.close()
            raise
        self._push_all()  # a stream holds each moment until the next one comes

    def query(self) -> Answered:
        """The frames of a hop of each camera in, the events out. Raises what the backend raises."""
        for _ in range(self.frames - 1):
            self._push_all()
        clock = _Clock()
        hop = _Hop([push(self._next) for push in self._pushers])
        self._next += 1
        clock.passed("prepare")
        while hop.waiting:
            kind = next(kind for kind in _KINDS if hop.asks(kind.ask))
            answers = answer(hop.asks(kind.ask), self._backend)
            clock.passed(kind.answering)
            hop.give(kind.ask, answers)
            clock.passed(kind.after)
        return Answered(dict(clock.parts), hop.events)

    def close(self) -> None:
        """Close all streams."""
        for stream in self._streams:
            stream.close()

    def _push_all(self) -> None:
        """The next moment of each camera, which completes no hop."""
        hop = _Hop([push(self._next) for push in self._pushers])
        assert not hop.waiting, "a hop was completed by another moment than the last of its chunk"
        self._next += 1

    def _opened(self, bundle: ScriptedBundle, seed: int) -> Pusher:
        rng = np.random.default_rng(seed)
        if bundle.takes_features:
            rows = rng.normal(size=(_POOL, *bundle.manifest.input_shape)).astype(np.float32)
            sensor = bundle.feature_stream()
            self._streams.append(sensor)
            return lambda number: sensor.steps(FeatureRow(rows[number % _POOL], number / bundle.grid.fps))
        pictures = moving_picture(rng, bundle.preprocessing.resize, _POOL)
        stream = bundle.stream()
        self._streams.append(stream)
        return lambda number: stream.steps(Frame(pictures[number % _POOL], number / bundle.grid.fps))


class _Hop:
    """Work of several cameras under way. waiting: the asks that are not answered yet. events: number so far."""

    def __init__(self, works: Sequence[Work[list[StreamEvent]]]) -> None:
        self.waiting: list[tuple[Work[list[StreamEvent]], Ask]] = []
        self.events = 0
        for work in works:
            self._advance(work, partial(next, work))

    def asks(self, kind: type[Ask]) -> list[Ask]:
        """Those of one kind, in order."""
        return [ask for _, ask in self.waiting if isinstance(ask, kind)]

    def give(self, kind: type[Ask], answers: Sequence[Answer | Exception]) -> None:
        """Continue the work that waits for asks of that kind."""
        answered = [work for work, ask in self.waiting if isinstance(ask, kind)]
        self.waiting = [(work, ask) for work, ask in self.waiting if not isinstance(ask, kind)]
        for work, given in zip(answered, answers, strict=True):
            if isinstance(given, Exception):
                raise given
            self._advance(work, partial(work.send, given))

    def _advance(self, work: Work[list[StreamEvent]], step: Callable[[], Ask]) -> None:
        try:
            self.waiting.append((work, step()))
        except StopIteration as ended:
            self.events += len(ended.value)


class _Clock:
    """Assigns the time that passed to parts."""

    def __init__(self) -> None:
        self.parts: defaultdict[Part, float] = defaultdict(float)
        self._since = time.perf_counter()

    def passed(self, part: Part) -> None:
        now = time.perf_counter()
        self.parts[part] += now - self._since
        self._since = now
