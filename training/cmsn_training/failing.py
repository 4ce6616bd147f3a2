"""External failures that end a training, reported in one line: a full disk, too little memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cmsn_runtime.errors import BackendError
from cmsn_runtime.files import written_to

_OUT_OF_MEMORY = ("not enough memory", "allocate memory", "out of memory")  # the CPU's allocator, mmap, CUDA


@contextmanager
def disk_named(output: Path) -> Iterator[None]:
    """Raises OutputError, with the folder's name, where writing to it fails."""
    hook = threading.excepthook

    def reported_later(raised: threading.ExceptHookArgs) -> None:
        # TensorBoard writes in a thread of its own, and raises its errors in the main thread.
        if not isinstance(raised.exc_value, OSError):
            hook(raised)

    threading.excepthook = reported_later
    try:
        with written_to(output):
            yield
    finally:
        threading.excepthook = hook


@contextmanager
def memory_named() -> Iterator[None]:
    """Raises BackendError where the machine, or the GPU, has too little memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        raise BackendError(
            f"out of memory ({str(error).splitlines()[0] if str(error) else 'RAM'}); take a smaller model, grid.window "
            "or stages.batch, or another device in [hardware]; --resume continues after the last complete epoch"
        ) from error
