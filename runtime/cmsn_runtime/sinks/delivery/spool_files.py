"""Files of spools: one process has each, and damaged ones are kept."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from cmsn_runtime.closing import Closing

_SUFFIX = ".spool"
_BESIDE = ("-wal", "-shm")  # SQLite's own files
_MOST = 64  # spools of one name, each of another process


class Claim(Closing):
    """A spool file that no other process, and no other output of this one, uses until it is closed."""

    def __init__(self, path: Path) -> None:
        """Raises BlockingIOError where another has it."""
        self.path = path
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let others use it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def claim(folder: Path, stem: str) -> tuple[Claim, list[Claim]]:
    """The first file of that name which nobody uses, and later ones that were left behind.

    A second process with the same output gets a file of its own. Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    free: list[Claim] = []
    for number in range(1, _MOST + 1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{_SUFFIX}"
        if free and not path.exists():
            continue
        with suppress(BlockingIOError):
            free.append(Claim(path))
    if not free:
        raise BlockingIOError(f"{_MOST} programs use it already")
    return free[0], free[1:]


def move_aside(path: Path) -> Path:
    """Rename a damaged file -> its new path. What SQLite keeps beside it follows. Raises OSError."""
    kept = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(2).hex()}")
    path.rename(kept)
    for end in _BESIDE:
        with suppress(FileNotFoundError):
            Path(f"{path}{end}").rename(f"{kept}{end}")
    return kept


def remove(path: Path) -> None:
    """Remove an empty spool. Its lock stays: another process may be waiting to take it."""
    for name in (str(path), *(f"{path}{end}" for end in _BESIDE)):
        Path(name).unlink(missing_ok=True)
