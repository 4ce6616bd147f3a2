"""The processes that this one has started."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def children() -> set[str]:
    """Their ids: of those that run, or have ended and were not yet reaped."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # that thread has ended meanwhile
            found.update((task / "children").read_text().split())
    return found


def capturing() -> list[str]:
    """The ids of those among them that capture a camera by PyAV."""
    return [child for child in sorted(children()) if "capture.child" in _command(child)]


def _command(child: str) -> str:
    with suppress(OSError):
        return Path("/proc", child, "cmdline").read_text()
    return ""
