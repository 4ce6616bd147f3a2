"""Waiting for conditions, and limits of time that allow for machines with more work than cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Return when it holds; fail where it does not within this time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds:g} s in vain"
        time.sleep(0.005)


def settle_seconds() -> float:
    """The two seconds in which a program that is asked to end has written everything; on a machine with more work than
    cores, as many times longer as it has more.
    """
    return 2.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def text_so_far(path: Path) -> str:
    """What another process has written by now; nothing where the file is not there.

    Whether a file can be written is tried by one that is removed again: it may be gone as soon as it was seen.
    """
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
