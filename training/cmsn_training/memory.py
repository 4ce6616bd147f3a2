"""Releases the memory of a training when it has ended."""

from __future__ import annotations

import ctypes
import gc


def release() -> None:
    """Free what a phase leaves behind (weights, gradients, Adam's moments), and return it to the operating system.

    Lightning's trainer, its loops and its module refer to each other, so that only the collector frees them. It counts
    objects and not bytes: on its own it runs after several trainings, gigabytes later. What it frees, glibc keeps in
    its heap, in fragments that the next training cannot always reuse.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries lack it
    if trim is not None:
        trim(0)
