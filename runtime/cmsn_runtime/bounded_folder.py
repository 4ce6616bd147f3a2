"""A folder of recordings that never holds more than its limit."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.files import written_to


@dataclass(frozen=True, slots=True)
class _Kept:
    paths: tuple[Path, ...]
    bytes: int


class BoundedFolder:
    """Removes the oldest recordings once there are more bytes than `max_bytes`.

    marks: what the names of its files end with, such as ".clip.mp4"; no other file is counted or removed. Files that
    share the name before their mark go together. A folder that exists is continued. Raises OutputError where it cannot
    be created.

    removed: recordings that had to go so far.
    """

    def __init__(self, folder: Path, *, max_bytes: int, marks: tuple[str, ...]) -> None:
        self.path = folder
        self.removed = 0
        self.bytes = 0
        self._max_bytes = max_bytes
        self._marks = marks
        self._kept: deque[_Kept] = deque()
        self.renew()
        with written_to(folder):
            for paths in self._found():
                self._add(paths)
        self._make_room(0)

    def make_room(self, needed: int) -> bool:
        """Remove the oldest until this many bytes fit; false, and nothing is removed, where they never will."""
        if needed > self._max_bytes:
            return False
        self.renew()
        self._make_room(needed)
        return True

    def renew(self) -> None:
        """Create it again where somebody has removed it. Raises OutputError."""
        with written_to(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def add(self, *paths: Path) -> None:
        """Count the files of a new recording, which is complete."""
        self._add(paths)
        self._make_room(0)

    def _add(self, paths: tuple[Path, ...]) -> None:
        size = sum(path.stat().st_size for path in paths)
        self._kept.append(_Kept(paths, size))
        self.bytes += size

    def _make_room(self, needed: int) -> None:
        while self._kept and self.bytes + needed > self._max_bytes:
            oldest = self._kept.popleft()
            self.bytes -= oldest.bytes
            self.removed += 1
            for path in oldest.paths:
                with suppress(OSError):  # somebody else has removed it
                    path.unlink()

    def _found(self) -> Iterator[tuple[Path, ...]]:
        """What an earlier run has left, the oldest first."""
        found: dict[str, list[Path]] = {}
        for entry in os.scandir(self.path):
            mark = next((mark for mark in self._marks if entry.name.endswith(mark)), None)
            if mark is not None and entry.is_file(follow_symlinks=False):
                found.setdefault(entry.name.removesuffix(mark), []).append(Path(entry.path))
        yield from sorted(map(tuple, found.values()), key=lambda paths: max(path.stat().st_mtime for path in paths))
