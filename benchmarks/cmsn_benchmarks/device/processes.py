"""Processes of a run: which there are, and what they use."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def children(*, but: str = "") -> list[int]:
    """Processes that this one has started and that have not been waited for. but: a program that is left out."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            found += [int(each) for each in (task / "children").read_text().split()]
    return [each for each in found if not but or _program(each) != but]


def _program(process: int) -> str:
    """Its name; empty where it has just ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text(errors="replace").strip()
    return ""


def cpu_seconds(process: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(process: int, *, shared: bool = False) -> float:
    """Resident memory of a process (10^6 bytes); shared: its proportional share of what several have in common."""
    wanted = "Pss:" if shared else "Rss:"
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(wanted)) * 1024 / 1e6
