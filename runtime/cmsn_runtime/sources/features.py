"""Feature rows from files, with all their checks: .npy, .txt or .csv, and HDF5."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import DecodeError, SourceError
from cmsn_runtime.names import FEATURE_SUFFIXES, HDF5_SUFFIXES, split_dataset
from cmsn_runtime.segments import durations_differ
from cmsn_runtime.sources.feature_tables import read_table
from cmsn_runtime.sources.losses import Losses
from cmsn_runtime.streams.feature_stream import FeatureRow

Rows = npt.NDArray[np.float32]

_NPY_MARK = b"\x93NUMPY"


class FeatureSource(Closing):
    """The rows of one file, in order; row k begins at k / rate seconds.

    address: a file, or FILE.h5::DATASET. rate: rows per second. width: values per row that the model takes; by default
    any. Raises SourceError, MissingExtraError for HDF5, and DecodeError at a row that is not finite, so that the
    results before it are kept.
    """

    live = False
    losses = Losses()  # a row that is not finite ends the source

    def __init__(self, address: str | os.PathLike[str], *, rate: Fraction, width: int | None = None) -> None:
        self.name = os.fspath(address)
        self._rate = rate
        self._rows = read_features(address, width=width)
        self._bad = first_bad_row(self._rows)
        self.duration: Fraction | None = len(self._rows) / rate

    def __iter__(self) -> Iterator[FeatureRow]:
        for index, row in enumerate(self._rows[: self._bad]):
            yield FeatureRow(row, index / self._rate)
        if self._bad is not None:
            raise DecodeError(_not_finite(self.name, self._rows, self._bad), seconds=self._bad / self._rate)

    def close(self) -> None:
        """Release the rows."""
        self._rows, self._bad = self._rows[:0], None


def read_features(address: str | os.PathLike[str], *, width: int | None = None) -> Rows:
    """All rows of a feature file -> float32 [n, width].

    .npy: an array [n, width] of numbers. .txt, .csv: see `read_table`. .h5, .hdf5: its only dataset, or the one named
    by FILE.h5::DATASET. width: what the model takes; by default any. Rows may still be NaN, see `require_finite`.
    Raises SourceError that says what the file holds instead, and MissingExtraError.
    """
    name = os.fspath(address)
    file, dataset = split_dataset(name)
    path = Path(file)
    suffix = path.suffix.lower()
    if suffix not in FEATURE_SUFFIXES:
        raise SourceError(f"{name}: not a feature file; this model takes {', '.join(FEATURE_SUFFIXES)}")
    try:
        if suffix in HDF5_SUFFIXES:
            from cmsn_runtime.sources.feature_datasets import read_dataset

            found = read_dataset(path, dataset)
        else:
            found = _read_npy(path) if suffix == ".npy" else read_table(path)
    except (OSError, ValueError, EOFError, KeyError, MemoryError) as error:
        raise SourceError(f"{name}: cannot be read as features ({_reason(error)}); give rows of numbers") from error
    rows = _as_rows(found, name, width)
    if width is not None:
        _require_width(rows, name, width)
    return rows


def require_finite(rows: Rows, name: str) -> None:
    """Raises SourceError that names the first row with NaN or infinity."""
    bad = first_bad_row(rows)
    if bad is not None:
        raise SourceError(_not_finite(name, rows, bad))


def first_bad_row(rows: Rows) -> int | None:
    """Index of the first row that holds NaN or infinity; None where all are finite."""
    # The extremes of a row carry its NaN and infinities: no array of [n, width] flags is needed.
    bad = ~(np.isfinite(rows.min(axis=1)) & np.isfinite(rows.max(axis=1)))
    return int(bad.argmax()) if bad.any() else None


def length_fault(count: int, rate: Fraction, duration: float | None) -> str | None:
    """The fault of rows that do not last as long as their video; None where they do, or the duration is unknown.

    count: rows. rate: per second. duration: seconds, as in the annotations.
    """
    lasts = float(count / rate)
    if duration is None or not durations_differ(lasts, duration):
        return None
    return (
        f"{count} rows at {float(rate):g} per second last {lasts:.1f} s, its duration is {duration:.1f} s: "
        f"{count / duration:.4g} rows per second would fit"
    )


def _read_npy(path: Path) -> npt.NDArray[np.generic]:
    """One plain array. Not np.load, which takes archives and pickles too."""
    with path.open("rb") as file:
        begin = file.read(len(_NPY_MARK))
        if begin != _NPY_MARK:
            what = "an archive of arrays (.npz)" if begin.startswith(b"PK") else "not NumPy's .npy format"
            raise ValueError(f"{what}; save one array of numbers by numpy.save")
        file.seek(0)
        array: npt.NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _as_rows(found: npt.NDArray[np.generic], name: str, width: int | None) -> Rows:
    """float32 [n, width]. Raises SourceError where the array holds no rows of numbers."""
    wanted = f"features are rows of numbers, [n, {width or 'width'}]"
    if found.ndim != 2 or found.dtype.kind not in "biuf":
        advice = ""
        if found.ndim == 1:
            shape = [len(found), 1] if width is None or len(found) % width else [len(found) // width, width]
            advice = f"; reshape it to {shape} if its rows follow one another"
        elif found.ndim > 2:
            advice = "; save one video per array, without further axes"
        raise SourceError(f"{name}: holds {found.dtype} {list(found.shape)}; {wanted}{advice}")
    if not found.size:
        raise SourceError(f"{name}: holds {list(found.shape)}, no rows; {wanted}, at least one is needed")
    with np.errstate(over="ignore"):  # a value beyond float32 becomes infinity, which is reported with its row
        return np.ascontiguousarray(found, dtype=np.float32)


def _require_width(rows: Rows, name: str, width: int) -> None:
    if rows.shape[1] == width:
        return
    hint = "check which features these are"
    if rows.shape[0] == width:
        hint = "transposed? save the array's transpose, one row per moment"
    elif rows.shape[1] == width + 1:
        hint = "is one column an index or a time? leave it out"
    raise SourceError(
        f"{name}: holds {list(rows.shape)}: {hint}; this model takes rows of {width} values, [n, {width}]"
    )


def _not_finite(name: str, rows: Rows, bad: int) -> str:
    count = int(np.count_nonzero(~np.isfinite(rows[bad])))
    return (
        f"{name}: row {bad} (from 0, of {len(rows)}) holds {count} values that are NaN, infinite or beyond float32; "
        "features must be finite; check how they were made"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if "allow_pickle" in str(error):
        return "Python objects, which are never loaded, since they may run code"
    return " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())[:200] or type(error).__name__
