"""Feature rows from HDF5: one file with a dataset for each video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import MissingExtraError, SourceError
from cmsn_runtime.names import ByName, first_few

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]


def read_dataset(path: Path, name: str) -> npt.NDArray[np.generic]:
    """The dataset of that name, or of a name that the rule for videos takes for it; the only one where name is empty.

    Raises OSError, MissingExtraError, and KeyError that lists what there is.
    """
    with _open(path) as file:
        found = _lookup(file, name)
        if found is None:
            known = sorted(_names(file))
            asked = f"no dataset {name}" if name else "no dataset is named"
            listed = f"{len(known)} ({first_few(known)})" if known else "none"
            raise KeyError(f"{asked}; it has {listed}; name one as {path.name}::NAME")
        return np.asarray(found[()])


def dataset_names(path: Path) -> list[str]:
    """Every dataset's path within the file. Raises SourceError and MissingExtraError."""
    try:
        with _open(path) as file:
            return _names(file)
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read as HDF5 ({error.strerror or error}); give one file with a dataset per video"
        ) from error


def _open(path: Path) -> h5py.File:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py", "features", "reading HDF5") from error
    path.open("rb").close()  # HDF5's own words for a missing file fill a line
    return h5py.File(path, "r")


def _lookup(file: h5py.File, name: str) -> h5py.Dataset | None:
    # By its own name first: a walk through the file for each of thousands of videos would take hours.
    if name and name in file and _is_dataset(file[name]):
        return file[name]
    names = _names(file)
    if not name:
        return file[names[0]] if len(names) == 1 else None
    own = ByName(dict.fromkeys(names)).own_name(name)
    return None if own is None else file[own]


def _names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if _is_dataset(item) else None)
    return names


def _is_dataset(item: object) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset)
