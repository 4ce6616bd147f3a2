"""The processes that this one has started, and what the kernel tells of them."""

from __future__ import annotations

import signal
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


def handles_sigterm(pid: int) -> bool:
    """Whether that process has a handler of its own for SIGTERM: `cmsn` has, from its first line of Python on.

    Before that a signal meets the interpreter, which ends by the signal or, while it imports `site`, with status 1.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) & 1 << signal.SIGTERM - 1)
