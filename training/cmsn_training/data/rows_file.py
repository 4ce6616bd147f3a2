"""A .npy file written row by row: its length is known only at the end, and it is never held in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.uint8]


def write_rows(path: Path, rows: Iterable[Rows], *, shape: tuple[int, ...]) -> int:
    """Write uint8 rows of one shape as an array [n, *shape]; returns n. Raises OSError."""
    with path.open("wb") as file:
        _write_header(file, 0, shape)
        count = 0
        for row in rows:
            file.write(row.tobytes())
            count += 1
        # NumPy pads headers to multiples of 64 bytes: this one is as long as the first.
        file.seek(0)
        _write_header(file, count, shape)
    return count


def map_rows(path: Path) -> npt.NDArray[Any] | None:
    """The array, read-only and mapped from disk; None where the file is missing or incomplete.

    A full disk or a power failure leaves a file that is shorter than its header says. Raises OSError.
    """
    try:
        rows: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):  # the latter two: no header, or fewer rows than it says
        return None
    return rows


def _write_header(file: BinaryIO, count: int, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)
