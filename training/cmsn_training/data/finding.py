"""The files of annotated videos, matched by name, in a folder or in one HDF5 file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import FEATURE_SUFFIXES, HDF5_SUFFIXES, VIDEO_SUFFIXES, ByName, first_few
from cmsn_runtime.sources.feature_datasets import dataset_names
from cmsn_training.vocabulary import Missing

_LOG = logging.getLogger(__name__)

VIDEOS_WANTED = f"NAME or v_NAME, with {', '.join(VIDEO_SUFFIXES[:12])} or similar"
FEATURES_WANTED = f"NAME or v_NAME, with {', '.join(FEATURE_SUFFIXES)}; or give one HDF5 file with a dataset for each"

Address = TypeVar("Address", Path, str)


def find_videos(folder: Path, names: Iterable[str]) -> dict[str, Path | None]:
    """Name -> its video, from one listing of the folder. Raises SettingsError where there is no such folder."""
    return _find(folder, names, VIDEO_SUFFIXES, "videos")


def find_features(features: Path, names: Iterable[str]) -> dict[str, str | None]:
    """Name -> its file in a folder, or FILE.h5::DATASET in one HDF5 file.

    Raises SettingsError where there is no such folder, SourceError where it is not an HDF5 file.
    """
    if features.suffix.lower() in HDF5_SUFFIXES and not features.is_dir():
        datasets = ByName({name: f"{features}::{name}" for name in dataset_names(features)})
        return {name: datasets.get(name) for name in names}
    found = _find(features, names, FEATURE_SUFFIXES, "feature files")
    return {name: None if path is None else str(path) for name, path in found.items()}


def those_there(
    found: Mapping[str, Address | None], annotations: Path, folder: Path, *, wanted: str, missing: Missing
) -> dict[str, Address]:
    """The entries that have a file. Raises SettingsError where one has none (with `skip`, only where none has any).

    wanted: how a file must be named, in words.
    """
    there = {name: address for name, address in found.items() if address is not None}
    absent = [name for name in found if name not in there]
    if not found:
        raise SettingsError(f"{annotations}: has no entry; it must name the videos in {folder}")
    if not absent:
        return there
    what = f"{len(absent)} of {len(found)} entries have no file in {folder}: {first_few(absent)}"
    if missing == "skip" and there:
        _LOG.warning("%s: %s; left out", annotations, what)
        return there
    hint = "" if missing == "skip" else '; add them, or leave them out by data.missing = "skip"'
    raise SettingsError(f"{annotations}: {what}; each needs a file {wanted}{hint}")


def _find(folder: Path, names: Iterable[str], suffixes: Sequence[str], what: str) -> dict[str, Path | None]:
    """Name -> its file; where a name has several, the earlier suffix is used."""
    rank = {suffix: number for number, suffix in enumerate(suffixes)}
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in rank and path.is_file()]
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be read ({error.strerror}); give a folder of {what}") from error
    files.sort(key=lambda path: (rank[path.suffix.lower()], path.name))
    known = ByName({path.name: path for path in files})
    return {name: _nested(folder, name, suffixes) or known.get(name) for name in names}


def _nested(folder: Path, name: str, suffixes: Sequence[str]) -> Path | None:
    """A file in a subfolder, where the name contains one: "subject-1/walk"."""
    if "/" not in name or ".." in name.split("/"):
        return None
    paths = (folder / f"{name}{suffix}" for suffix in suffixes)
    return next((path for path in paths if path.is_file()), None)
