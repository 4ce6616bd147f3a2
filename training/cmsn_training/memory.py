"""Releases the memory of a training when it has ended."""

from __future__ import annotations

import ctypes
import gc


def release() -> None:
    """Free what a phase leaves behind (weights, gradients, Adam's moments), and return it to the operating system.

    Lightning's trainer, its loops and its module refer to each other, so that only the collector frees them. It counts
    objects and not bytes: left alone, it comes by after several trainings, gigabytes later. What it frees, glibc keeps
    in its heap, in pieces that the next training does not always fit into.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)
