"""How many threads of a CPU the networks use."""

from __future__ import annotations

import os
from collections.abc import Mapping

_SMALL_EXTRACTOR = 16 * 2**20  # bytes of its graph: a third of the paper's width


def usual_threads(graphs: Mapping[str, bytes]) -> int:
    """One thread for a small extractor, whose operators are too short to be divided; otherwise one per core.

    Streams of several threads share the networks and run side by side either way.
    """
    return 1 if len(graphs["extractor"]) < _SMALL_EXTRACTOR else cores()


def cores() -> int:
    """Number of cores that this process may use; a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
