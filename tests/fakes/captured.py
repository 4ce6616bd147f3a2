"""What a Capture delivers, collected, and waited for."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, TypeVar

from waiting import settle_seconds

from cmsn_runtime.capture.capture import Capture
from cmsn_runtime.capture.items import CapturedFrame, CaptureItem, SourceBack, SourceLost
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sources.options import SourceOptions

Item = TypeVar("Item")

# A machine that runs many tests at once may take seconds for what takes none: a short stall limit is for tests of it.
PATIENT = CaptureSettings(stall_seconds=15.0, first_retry_seconds=0.1, last_retry_seconds=0.5)
QUICK = replace(PATIENT, stall_seconds=1.5)


def closed_within() -> float:
    """Seconds that closing may take: one, and longer on busy machines."""
    return 0.2 + settle_seconds() / 2


def reported_within() -> float:
    """Seconds from the last frame to the report of its loss: the stall limit and one more, longer on busy machines."""
    return QUICK.stall_seconds + settle_seconds() / 2


def reported_at_first_within() -> float:
    """The same from a capture's beginning: where other tests run, its process takes seconds to start."""
    return reported_within() + 4.0


class Captured:
    """All items so far. `waited` waits for one."""

    def __init__(self) -> None:
        self.items: list[CaptureItem] = []
        self._changed = threading.Condition()

    def deliver(self, item: CaptureItem) -> None:
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def of(self, kind: type[Item]) -> list[Item]:
        """All items of a kind."""
        with self._changed:
            return [item for item in self.items if isinstance(item, kind)]

    def waited(self, kind: type[Item], *, count: int = 1, seconds: float = 20.0) -> list[Item]:
        """The first `count` items of a kind, once they are there. Raises AssertionError, with what came instead."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._count(kind) >= count, seconds)
            assert done, f"{self._count(kind)} of {count} {kind.__name__} in {seconds} s; the last: {self.items[-3:]}"
            found: list[Item] = [item for item in self.items if isinstance(item, kind)]
        return found[:count]

    def more_frames(self, count: int, *, seconds: float = 20.0) -> list[CapturedFrame]:
        """All frames, once there are so many more than now."""
        return self.waited(CapturedFrame, count=len(self.of(CapturedFrame)) + count, seconds=seconds)

    def outages(self) -> int:
        """How many there were. Raises AssertionError unless each was reported once, and each return once."""
        with self._changed:
            reported = [type(item) for item in self.items if isinstance(item, SourceLost | SourceBack)]
        assert reported == [SourceLost, SourceBack] * (len(reported) // 2) + [SourceLost] * (len(reported) % 2)
        return reported.count(SourceLost)

    def _count(self, kind: type[Any]) -> int:
        return sum(isinstance(item, kind) for item in self.items)


def capture(address: str, captured: Captured, **changes: Any) -> Capture:
    """A capture of 48x64 frames that tries again soon. changes: of its arguments."""
    arguments: dict[str, Any] = {
        "name": "door",
        "size": (48, 64),
        "deliver": captured.deliver,
        "options": SourceOptions(),
        "settings": PATIENT,
        "pictures": False,
        "packets": False,
        **changes,
    }
    return Capture(Secret(address), **arguments)
