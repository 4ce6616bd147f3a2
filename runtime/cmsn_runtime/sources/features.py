"""Feature rows from files: .npy, .txt or .csv, and HDF5."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import MissingExtraError, SourceError
from cmsn_runtime.streams.feature_stream import FeatureRow

Rows = npt.NDArray[np.float32]

FEATURE_SUFFIXES = (".npy", ".txt", ".csv", ".h5", ".hdf5")


class FeatureSource(Closing):
    """The rows of one file, in order; row k begins at k / rate seconds.

    address: a file, or FILE.h5::DATASET. rate: rows a second. Raises SourceError, and MissingExtraError for HDF5.
    """

    live = False

    def __init__(self, address: str | os.PathLike[str], *, rate: Fraction) -> None:
        self.name = os.fspath(address)
        self._rate = rate
        self._rows = read_features(address)
        self.duration: Fraction | None = len(self._rows) / rate

    def __iter__(self) -> Iterator[FeatureRow]:
        for index, row in enumerate(self._rows):
            yield FeatureRow(row, index / self._rate)

    def close(self) -> None:
        """Let go of the rows."""
        self._rows = self._rows[:0]


def read_features(address: str | os.PathLike[str]) -> Rows:
    """All rows of a feature file -> float32 [n, width].

    .npy: an array [n, width]. .txt, .csv: a row a line, separated by blanks or commas. .h5, .hdf5: its only dataset, or
    the one named by FILE.h5::DATASET. Raises SourceError that says what the file holds instead.
    """
    name, _, key = os.fspath(address).partition("::")
    path = Path(name)
    if path.suffix.lower() not in FEATURE_SUFFIXES:
        raise SourceError(f"{name}: not a feature file; this model takes {', '.join(FEATURE_SUFFIXES)}")
    try:
        rows = _read_hdf5(path, key) if path.suffix.lower() in (".h5", ".hdf5") else _read_array(path)
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise SourceError(f"{name}: cannot be read as features ({_reason(error)}); give rows of numbers") from error
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.number) or np.iscomplexobj(rows):
        raise SourceError(f"{name}: holds {rows.dtype} {list(rows.shape)}; features are rows of numbers, [n, width]")
    if not len(rows):
        raise SourceError(f"{name}: holds no rows; at least one is needed")
    return np.ascontiguousarray(rows, dtype=np.float32)


def _read_array(path: Path) -> npt.NDArray[np.generic]:
    if path.suffix.lower() == ".npy":
        array: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
        return array
    with path.open(encoding="utf-8") as file:
        first = next((line for line in file if line.strip() and not line.lstrip().startswith("#")), "")
    if not first:
        return np.empty((0, 0))
    return np.loadtxt(path, delimiter="," if "," in first else None, ndmin=2, encoding="utf-8")


def _read_hdf5(path: Path, key: str) -> npt.NDArray[np.generic]:
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("h5py", "features", "reading HDF5") from error
    with h5py.File(path, "r") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        if not key and len(names) == 1:
            key = names[0]
        if key not in names:
            found = ", ".join(sorted(names)[:5]) or "none"
            raise KeyError(f"dataset {key or 'not named'}; it has {len(names)}: {found}; name one as {path.name}::NAME")
        array: npt.NDArray[np.generic] = file[key][()]
        return array


def _reason(error: Exception) -> str:
    return " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())[:200] or type(error).__name__
