"""Many cameras at once: asks that their streams have at the same time are answered in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from cmsn_runtime.backends.answering import answer_together
from cmsn_runtime.backends.asks import Work
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.streams.resampling import Timed
from cmsn_runtime.streams.timed import TimedStream

_Given = TypeVar("_Given", bound=Timed)


def push_together(
    moments: Sequence[tuple[TimedStream[_Given], _Given]], backend: Backend
) -> list[list[StreamEvent] | Exception]:
    """Push one moment into each of several streams -> the events of each, or the error that its own push would raise.

    The results equal those of separate pushes. backend: the one of all the streams.
    Raises SettingsError, before anything changes, where a stream occurs twice or belongs to another backend.
    """
    if len({id(stream) for stream, _ in moments}) < len(moments):
        raise SettingsError(
            "a stream occurs twice in one call; pass one moment per stream, and call again for the next"
        )
    others = {stream.backend.name for stream, _ in moments if stream.backend is not backend}
    if others:
        raise SettingsError(
            f"streams of another backend were passed ({', '.join(sorted(others))}; this one is {backend.name}); "
            "pass the streams of one opened bundle, with its backend"
        )
    begun: list[Work[list[StreamEvent]] | Exception] = []
    for stream, moment in moments:
        try:
            begun.append(stream.steps(moment))
        except Exception as error:
            begun.append(error)
    answered = iter(answer_together([work for work in begun if not isinstance(work, Exception)], backend))
    return [work if isinstance(work, Exception) else next(answered) for work in begun]
