"""A bounded queue of calls that drops the least important, oldest first, when it is full."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How much is lost with a call: PASSING what is soon outdated, CHANGING events that are not final, LASTING the
    others. KEPT is never dropped: without it, what follows makes no sense.
    """

    PASSING = 0
    CHANGING = 1
    LASTING = 2
    KEPT = 3


@dataclass(frozen=True, slots=True)
class Call:
    """What waits. kind: for counting, such as "picture" or "final". size: approximate bytes in memory."""

    kind: str
    source: str
    level: Level
    size: int
    make: Callable[[], None]


class Backlog:
    """Calls in their order, from any number of threads to one.

    most_calls, most_bytes: when more wait, the lowest level loses its oldest call first. on_full: called once when this
    begins; on_caught_up: with the number of each kind that was lost, once all that waited is taken after that. Neither
    is called while the lock is held. lost: numbers by kind, in all.
    """

    def __init__(
        self,
        *,
        most_calls: int,
        most_bytes: int,
        on_full: Callable[[], None],
        on_caught_up: Callable[[Counter[str]], None],
    ) -> None:
        self.lost: Counter[str] = Counter()
        self._most_calls, self._most_bytes = most_calls, most_bytes
        self._on_full, self._on_caught_up = on_full, on_caught_up
        self._levels: tuple[deque[tuple[int, Call]], ...] = tuple(deque() for _ in Level)
        self._changed = threading.Condition()
        self._burst: Counter[str] = Counter()
        self._number = self._count = self._bytes = 0
        self._finished = False

    def put(self, call: Call) -> None:
        """Add a call; after `finish` or `clear`, it is ignored."""
        with self._changed:
            if self._finished:
                return
            self._levels[call.level].append((self._number, call))
            self._number += 1
            self._resize(1, call)
            sound = not self._burst
            self._shrink()
            begins = sound and bool(self._burst)
            self._changed.notify()
        if begins:
            self._on_full()

    def take(self) -> Call | None:
        """The oldest call; waits for one. None once `finish` was called and nothing waits."""
        with self._changed:
            if not self._count and self._burst:
                lost, self._burst = self._burst, Counter()
            else:
                lost = Counter()
        if lost:
            self._on_caught_up(lost)
        with self._changed:
            self._changed.wait_for(lambda: self._count or self._finished)
            if not self._count:
                return None
            oldest = min((waiting for waiting in self._levels if waiting), key=lambda waiting: waiting[0][0])
            return self._pop(oldest)

    def finish(self) -> None:
        """No more calls come."""
        with self._changed:
            self._finished = True
            self._changed.notify()

    def clear(self) -> Counter[str]:
        """Drop everything, and take no more -> how many of each kind were lost that `on_caught_up` has not reported."""
        with self._changed:
            dropped = Counter(call.kind for waiting in self._levels for _, call in waiting)
            dropped, self._burst = dropped + self._burst, Counter()
            for waiting in self._levels:
                waiting.clear()
            self._count = self._bytes = 0
            self._finished = True
            self._changed.notify()
        return dropped

    def __len__(self) -> int:
        return self._count

    def _shrink(self) -> None:
        while self._count > self._most_calls or self._bytes > self._most_bytes:
            waiting = next(
                (self._levels[level] for level in Level if level != Level.KEPT and self._levels[level]), None
            )
            if waiting is None:
                return
            kind = self._pop(waiting).kind
            self.lost[kind] += 1
            self._burst[kind] += 1

    def _pop(self, waiting: deque[tuple[int, Call]]) -> Call:
        _, call = waiting.popleft()
        self._resize(-1, call)
        return call

    def _resize(self, sign: int, call: Call) -> None:
        self._count += sign
        self._bytes += sign * call.size
