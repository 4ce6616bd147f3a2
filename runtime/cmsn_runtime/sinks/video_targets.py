"""Where annotated videos go: one file per source, or a folder of recordings."""

from __future__ import annotations

from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.bounded_folder import BoundedFolder
from cmsn_runtime.names import video_id
from cmsn_runtime.secrets import scrubbed
from cmsn_runtime.sinks.timeline import picture_path
from cmsn_runtime.sinks.video_file import VideoFile
from cmsn_runtime.text import file_name

RECORDING_SUFFIX = ".video.mp4"


class FileTarget:
    """One file per source. several: each source's name is added to the path."""

    goes_on = False  # after a fault: there is only one file

    def __init__(self, path: Path, *, several: bool) -> None:
        self.path = path
        self._several = several

    def first(self, source: str) -> VideoFile | None:
        """The file, from the start, so that a path that cannot be written is reported at once."""
        return VideoFile(picture_path(self.path, source) if self._several else self.path)

    def next(self, source: str, wall: float) -> VideoFile:
        """Of a source that goes on after its end."""
        return VideoFile(picture_path(self.path, source) if self._several else self.path)

    def is_full(self, file: VideoFile, begin: Fraction, seconds: Fraction) -> bool:
        """A file has no limit."""
        return False

    def completed(self, path: Path) -> None:
        """Nothing goes for it."""


class FolderTarget:
    """Files of a limited length in a folder of limited bytes, named after site, camera and begin (UTC)."""

    goes_on = True  # a disk has room again some day

    def __init__(self, folder: Path, *, site: str, max_bytes: int, rotate_seconds: float) -> None:
        self.folder = BoundedFolder(folder, max_bytes=max_bytes, marks=(RECORDING_SUFFIX,))
        self.path = folder
        self._site = site
        self._rotate_seconds = rotate_seconds

    def first(self, source: str) -> VideoFile | None:
        """The first file begins with the first picture."""
        return None

    def next(self, source: str, wall: float) -> VideoFile:
        """A new file. wall: POSIX time of its begin."""
        self.folder.renew()
        begin = datetime.fromtimestamp(wall, timezone.utc).strftime("%Y%m%dT%H%M%S%fZ")
        name = scrubbed(f"{self._site}_{video_id(source)}_{begin}")
        return VideoFile(self.path / file_name(name, after=RECORDING_SUFFIX))

    def is_full(self, file: VideoFile, begin: Fraction, seconds: Fraction) -> bool:
        """Whether a file is as long as it may be, or time went back."""
        return bool(file.frames) and not 0 <= seconds - begin < self._rotate_seconds

    def completed(self, path: Path) -> None:
        """Count it, and remove the oldest."""
        self.folder.add(path)
