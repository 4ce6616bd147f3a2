"""A folder of .npy files, one per video, each computed once and complete or not there."""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from cmsn_runtime.errors import SettingsError, SourceError
from cmsn_runtime.files import put_in_place
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.rows_file import map_rows

_LOG = logging.getLogger(__name__)

Value = TypeVar("Value", bound=np.generic)


class VideoCache(ABC, Generic[Value]):
    """A folder with one .npy [T, ...] per video and settings.

    The name of a file is the video's own name and a hash of everything that changes its content, so a changed
    setting or a changed video never uses an old cache. Files are written under another name until they are complete:
    a killed run leaves none that is read later. Several processes may use one folder; of those that need the same video
    one computes it, and the others wait.
    """

    grid: TimeGrid

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def _settings(self) -> Mapping[str, object]:
        """Everything beside the video that changes the content, in JSON's values."""

    @abstractmethod
    def _write(self, video: Path, unfinished: Path, faults: list[str]) -> None:
        """Compute the video's array into a file; what was wrong with it is appended to the faults."""

    def array(self, video: Path) -> npt.NDArray[Value]:
        """That of a video, read-only and mapped from disk, computed first if necessary.

        For a video that breaks off, the part before the break; each call warns about it. Raises SourceError where
        nothing can be decoded, SettingsError where the folder cannot be written to.
        """
        path = self.ensure(video)
        found = map_rows(path)
        if found is None:
            raise SettingsError(f"{path}: was removed or damaged just now; give each other program its own data.cache")
        notes = _notes_of(path)
        if notes.exists():
            _LOG.warning("%s", notes.read_text(encoding="utf-8"))
        return found

    def ensure(self, video: Path) -> Path:
        """Compute the video's array unless it is cached; returns its file. Raises as `array` does."""
        path = self.path_of(video)
        try:
            if map_rows(path) is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._remove_leftovers()
                self._make_alone(video, path)
        except OSError as error:
            raise SettingsError(
                f"{path}: cannot be written ({error.strerror or error}); free space there, or set another data.cache"
            ) from error
        return path

    def holds(self, video: Path) -> bool:
        """Whether the video's array is cached completely. Raises SourceError where there is no such video."""
        return map_rows(self.path_of(video)) is not None

    def path_of(self, video: Path) -> Path:
        """The file for a video. Raises SourceError where there is no such video."""
        return self.folder / f"{video.stem}-{self._key(video)}.npy"

    def _make_alone(self, video: Path, path: Path) -> None:
        lock = _lock_of(path)
        with FileLock(lock):
            if map_rows(path) is None:  # another process may have made it during the wait
                self._make(video, path)
            # A process that waits for the removed lock finds the frames complete, as one that creates a new lock does.
            lock.unlink(missing_ok=True)

    def _make(self, video: Path, path: Path) -> None:
        if path.exists():
            _LOG.warning("%s: is damaged (a full disk?); computed again", path)
        unfinished, notes = _unfinished_of(path), _notes_of(path)
        faults: list[str] = []
        try:
            self._write(video, unfinished, faults)
            notes.unlink(missing_ok=True)
            if faults:
                notes.write_text("; ".join(faults), encoding="utf-8")
            put_in_place(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """Remove unfinished files of processes that died: their locks are free."""
        for unfinished in self.folder.glob(".*.npy.unfinished"):
            lock = unfinished.with_suffix(".lock")
            try:
                with FileLock(lock, timeout=0):
                    unfinished.unlink(missing_ok=True)
            except Timeout:
                continue

    def _key(self, video: Path) -> str:
        try:
            stat = video.stat()
        except OSError as error:
            raise SourceError(f"{video}: cannot be read ({error.strerror}); give the path of a video") from error
        settings = {**self._settings(), "bytes": stat.st_size, "changed": stat.st_mtime_ns}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _unfinished_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _notes_of(path: Path) -> Path:
    return path.with_suffix(".txt")
