"""Many cameras at once: what their streams ask at the same time is answered in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from cmsn_runtime.backends.answering import answer_together
from cmsn_runtime.backends.asks import Work
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.errors import CmsnError, SettingsError
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.streams.resampling import Timed
from cmsn_runtime.streams.timed import TimedStream

_Given = TypeVar("_Given", bound=Timed)


def push_together(
    moments: Sequence[tuple[TimedStream[_Given], _Given]], backend: Backend
) -> list[list[StreamEvent] | CmsnError]:
    """Push one moment into each of several streams -> the events of each, or the error that its own push would raise.

    The results are those of one push after the other; a stream may come once per call. backend: of all the streams.
    """
    if len({id(stream) for stream, _ in moments}) < len(moments):
        raise SettingsError("a stream came twice in one call; pass one moment per stream, and call again for the next")
    begun: list[Work[list[StreamEvent]] | CmsnError] = []
    for stream, moment in moments:
        try:
            begun.append(stream.steps(moment))
        except CmsnError as error:
            begun.append(error)
    answered = iter(answer_together([work for work in begun if not isinstance(work, CmsnError)], backend))
    return [work if isinstance(work, CmsnError) else next(answered) for work in begun]
