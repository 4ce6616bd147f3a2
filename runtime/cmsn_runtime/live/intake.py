"""What waits for the thread of a fleet: requests, and what cameras have delivered."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator

Call = Callable[[], None]

_MOST = 20_000  # calls: a minute of eight cameras with packets and pictures, for which nobody had time


class Intake:
    """Calls in their order. `put` is safe in every thread, and in signal handlers."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._first: Call | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._first is None and self._calls.empty()

    @property
    def full(self) -> bool:
        """Whether so much waits that the thread must have stopped: memory must not grow until it goes on."""
        return self._calls.qsize() >= _MOST

    def put(self, call: Call) -> None:
        """Add a call."""
        self._calls.put(call)

    def wait(self, seconds: float) -> None:
        """Return when a call waits, or after that time."""
        if self._first is None and seconds > 0:
            try:
                self._first = self._calls.get(timeout=seconds)
            except queue.Empty:
                return

    def take(self) -> Iterator[Call]:
        """All calls that wait now."""
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        for _ in range(self._calls.qsize()):
            yield self._calls.get_nowait()
