"""Runs many finality policies over one video at the cost of little more than one: no network runs twice on the same."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from cmsn_runtime.backends.answering import answer
from cmsn_runtime.backends.asks import Answer, Ask, Evaluate, Extract, Stages, Work
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.sources.opening import open_source
from cmsn_training.evaluation.events import Reported, reports_of

Policy = Mapping[str, object]  # settings that differ from the bundle's, by dotted name

_CHUNK_FRAMES = 8


def reports_by_policy(bundle: Bundle, video: Path, policies: Mapping[str, Policy]) -> dict[str, list[Reported]]:
    """Name of a policy -> everything that a stream with it reports on a video, as from a camera.

    The policies may change what is reported, and nothing that the networks compute for all of a window.
    """
    streams = {name: bundle.stream(chunk_frames=_CHUNK_FRAMES, settings=policy) for name, policy in policies.items()}
    events: dict[str, list[StreamEvent]] = {name: [] for name in streams}
    shared = _Shared(bundle.backend, len(streams))
    with open_source(video) as source:
        for frame in source:
            for name, new in zip(events, shared.run([each.steps(frame) for each in streams.values()]), strict=True):
                events[name] += new
        for name, new in zip(events, shared.run([each.ending() for each in streams.values()]), strict=True):
            events[name] += new
    return {name: reports_of(each) for name, each in events.items()}


class _Shared:
    """Drives streams over the same frames: of equal asks only the first is computed.

    Asks of two streams are equal where they come after the same chunk, at the same step of it and, of evaluations, for
    the same proposals. Only the state of the first stream advances, and so it must be the first to ask.
    """

    def __init__(self, backend: Backend, streams: int) -> None:
        self._backend = backend
        self._places = [(0, 0)] * streams  # of each: position of its newest chunk, windows asked for since

    def run(self, works: Sequence[Work[list[StreamEvent]]]) -> list[list[StreamEvent]]:
        """The result of each, in their order. Raises what a work raises."""
        known: dict[Hashable, Answer | Exception] = {}
        results: list[list[StreamEvent]] = []
        for number, work in enumerate(works):
            given: Answer | Exception | None = None
            while True:
                try:
                    ask = work.throw(given) if isinstance(given, Exception) else work.send(given)  # type: ignore[arg-type]
                except StopIteration as ended:
                    results.append(ended.value)
                    break
                key = self._key(number, ask)
                if key not in known:
                    known[key] = answer([ask], self._backend)[0]
                given = known[key]
        return results

    def _key(self, number: int, ask: Ask) -> Hashable:
        position, windows = self._places[number]
        match ask:
            case Extract():
                self._places[number] = ask.position, 0
                return "extract", ask.position
            case Stages():
                self._places[number] = position, windows + 1
                return "stages", position, windows + 1
            case Evaluate():
                return "evaluate", position, windows, ask.left.tobytes(), ask.right.tobytes()
