"""How many threads of a CPU the networks use."""

from __future__ import annotations

import os

_SMALL_EXTRACTOR = 16 * 2**20  # bytes of its graph: a third of the paper's width


def usual_threads(extractor_bytes: int) -> int:
    """One thread for an extractor with a small graph, whose operators are too short to be divided; else one per core.

    Streams of several threads share the networks and run side by side either way.
    """
    return 1 if extractor_bytes < _SMALL_EXTRACTOR else cores()


def cores() -> int:
    """Number of cores that this process may use; a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
