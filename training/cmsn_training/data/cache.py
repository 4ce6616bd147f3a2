"""Videos decoded once to the model's frames, and stored as .npy files that training maps into memory."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from cmsn_runtime.errors import DecodeError, SettingsError, SourceError
from cmsn_runtime.files import put_in_place
from cmsn_runtime.pictures.fitting import FittedFrame, Fitting
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.stopping import raise_if_stopped
from cmsn_runtime.streams.resampling import Resampler, SegmentStart
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.data.rows_file import map_rows, write_rows

_LOG = logging.getLogger(__name__)

# Training needs one unbroken sequence of frames: across a gap the last picture is repeated. Ten minutes of one picture
# are a wrong timestamp rather than video, and would fill the disk.
_LONGEST_STILL = Fraction(600)

Pixels = npt.NDArray[np.uint8]


class FrameCache:
    """A folder with one .npy (uint8 [T, height, width, 3]) per video and preprocessing.

    The name of a file is the video's own name and a hash of everything that changes its content, so a changed
    setting or a changed video never uses an old cache. Frames are written as they are decoded, under another name
    until the file is complete: memory does not grow with the video, and a killed run leaves no file that is read later.
    Several processes may use one folder; of those that need the same video one decodes it, and the others wait.
    """

    def __init__(self, folder: Path, *, grid: TimeGrid, preprocessing: Preprocessing) -> None:
        self.folder = folder
        self.grid = grid
        self.preprocessing = preprocessing

    def frames(self, video: Path) -> Pixels:
        """Frames of a video, read-only and mapped from disk, decoded first if necessary.

        For a video that breaks off, the frames before the break; each call warns about it. Raises SourceError where
        nothing can be decoded, SettingsError where the folder cannot be written to.
        """
        path = self.ensure(video)
        frames = map_rows(path)
        if frames is None:
            raise SettingsError(f"{path}: was removed or damaged just now; give each other program its own data.cache")
        notes = _notes_of(path)
        if notes.exists():
            _LOG.warning("%s", notes.read_text(encoding="utf-8"))
        return frames

    def ensure(self, video: Path) -> Path:
        """Decode the video unless it is cached; returns its file. Raises as `frames` does."""
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
        """Whether the video's frames are cached completely. Raises SourceError where there is no such video."""
        return map_rows(self.path_of(video)) is not None

    def path_of(self, video: Path) -> Path:
        """The file for the frames of a video. Raises SourceError where there is no such video."""
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
            _LOG.warning("%s: is damaged (a full disk?); decoded again", path)
        unfinished, notes = _unfinished_of(path), _notes_of(path)
        faults: list[str] = []
        try:
            write_rows(unfinished, self._decode(video, faults), shape=(*self.preprocessing.crop, 3))
            notes.unlink(missing_ok=True)
            if faults:
                notes.write_text("; ".join(faults), encoding="utf-8")
            put_in_place(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _decode(self, video: Path, faults: list[str]) -> Iterator[Pixels]:
        fitted = Fitting(self.preprocessing)
        resampler: Resampler[FittedFrame] = Resampler(self.grid, max_gap=_LONGEST_STILL)
        last: Fraction | None = None
        with open_source(str(video)) as source:
            for frame in _until_broken(source, faults):
                for item in resampler.push(fitted(frame)):
                    if not isinstance(item, SegmentStart):
                        yield item.moment.values()
                    elif last is not None and item.origin > last:
                        faults.append(f"{video}: {item.reason} at {float(last):.2f} s; only the part before is used")
                        return
                    elif last is not None:
                        faults.append(f"{video}: {item.reason}; what follows is used as if time had continued")
                    elif abs(item.origin) > self.grid.step_seconds:
                        faults.append(_late(video, item.origin))
                last = frame.seconds
        for tick in resampler.flush():
            yield tick.moment.values()

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
        settings = {
            "preprocessing": asdict(self.preprocessing),
            "fps": str(self.grid.fps),
            "bytes": stat.st_size,
            "changed": stat.st_mtime_ns,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _late(video: Path, origin: Fraction) -> str:
    """Players, and so most annotators, count from the first frame, whatever the file's timestamps say."""
    return (
        f"{video}: its first frame is at {float(origin):.2f} s; annotations are assumed to count from that frame, "
        f"`cmsn run` counts from the file's zero ({float(-origin):+.2f} s makes them agree)"
    )


def _until_broken(source: Source, faults: list[str]) -> Iterator[Frame]:
    try:
        for frame in source:
            raise_if_stopped()  # a signal that a decoder's callback swallowed
            yield frame
    except DecodeError as error:
        faults.append(f"{error}; training uses the part before")


def _unfinished_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _notes_of(path: Path) -> Path:
    return path.with_suffix(".txt")
