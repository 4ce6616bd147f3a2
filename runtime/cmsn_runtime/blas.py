"""Keeps NumPy from starting threads for products of matrices, of which the runtime has none."""

from __future__ import annotations

import os


def start_no_threads() -> None:
    """Call it before NumPy is imported: its OpenBLAS starts one thread per core, which spin for 50 ms of CPU time.

    A number that the user has set is kept.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
