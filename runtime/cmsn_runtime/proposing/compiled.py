"""How this package's kernels are compiled: once per machine, cached on disk, without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile `function` with numba at its first call, and cache the machine code on disk.

    The cache is `__pycache__` beside the source, or, where that is read-only, the user's cache folder
    (`NUMBA_CACHE_DIR` names another). Where neither can be written, each process compiles for itself.

    A cached kernel is renewed when ITS OWN file changes, not when a file it calls into does. So a kernel
    calls only kernels of its own file, and Python joins the files (pipeline.py): a few microseconds per hop.

    Kernels do not check bounds: their callers check shapes. Division follows IEEE (a check for zero
    would keep the loops from being vectorised), and no fastmath: results are the same everywhere.
    """
    try:
        return cast(_Function, njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # numba found no writable folder
        return cast(_Function, njit(nogil=True, error_model="numpy")(function))
