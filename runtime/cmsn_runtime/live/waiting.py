"""What has arrived from a camera and waits for the networks, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from cmsn_runtime.capture.items import CapturedFrame, SourceBack, SourceEnded, SourceLost


@dataclass(frozen=True, slots=True)
class Cut:
    """Frames were left out here. count: how many. seconds: for how long the oldest had waited."""

    count: int
    seconds: float


Waiting: TypeAlias = CapturedFrame | SourceLost | SourceBack | SourceEnded | Cut


class WaitingLine:
    """Frames and changes of the connection, in the order they arrived.

    frames: how many frames wait. since: when the oldest of them arrived (time.monotonic()); None where none waits.
    """

    def __init__(self) -> None:
        self._items: deque[Waiting] = deque()
        self.frames = 0
        self.since: float | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Waiting) -> None:
        """Add what has just arrived."""
        self._items.append(item)
        if isinstance(item, CapturedFrame):
            self.frames += 1
            self.since = item.arrived if self.since is None else self.since

    def get(self) -> Waiting:
        """Take what has waited longest."""
        item = self._items.popleft()
        if isinstance(item, CapturedFrame):
            self.frames -= 1
            first = next((other for other in self._items if isinstance(other, CapturedFrame)), None)
            self.since = None if first is None else first.arrived
        return item

    def cut(self, now: float) -> int:
        """Leave out all frames that wait, and note it in their place -> how many. Changes of the connection stay."""
        count, since = self.frames, self.since
        if since is not None:
            others = [item for item in self._items if not isinstance(item, CapturedFrame)]
            self._items = deque([Cut(count, now - since), *others])
            self.frames, self.since = 0, None
        return count
