"""The output `video`: each source's pictures with what is known of it drawn onto them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.checking import require
from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.events import StagePreview, StageStep, StreamEvent
from cmsn_runtime.files import is_stream
from cmsn_runtime.names import VIDEO_SUFFIXES, video_id
from cmsn_runtime.pictures.fitting import Scaler
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.reporting import report
from cmsn_runtime.sinks.base import Ending, OpenSources, Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind
from cmsn_runtime.sinks.overlay import Overlay, require_pillow
from cmsn_runtime.sinks.scene import SceneKeeper
from cmsn_runtime.sinks.timeline import picture_path
from cmsn_runtime.sinks.video_file import VideoFile
from cmsn_runtime.sinks.video_targets import FileTarget, FolderTarget
from cmsn_runtime.structuring import structure

_PAUSE_SECONDS = 60  # after a recording that could not be written
_LEAST_WIDTH = 320  # narrower pictures are enlarged, so that text on them is legible


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSettings:
    """Where recordings of live cameras go.

    folder: a relative one begins in the site's state folder. max_bytes: of all complete recordings; the oldest go
    first. rotate_seconds: length of each. timeline_seconds: that the timeline shows.
    """

    folder: str
    max_bytes: int = 10 * 2**30
    rotate_seconds: float = 600.0
    timeline_seconds: float = 60.0

    def __post_init__(self) -> None:
        require(bool(self.folder), "folder", self.folder, "the path of a folder")
        require(self.max_bytes >= 1, "max_bytes", self.max_bytes, "at least 1")
        require(self.rotate_seconds > 0, "rotate_seconds", self.rotate_seconds, "above 0")
        require(self.timeline_seconds >= 10, "timeline_seconds", self.timeline_seconds, "at least 10")


class VideoSink(Sink):
    """Draws onto every picture what is known at that moment (see Overlay), and encodes it.

    target: of the files. live: the time of day is shown; otherwise the time of the source. Raises MissingExtraError
    where Pillow is not installed.
    """

    def __init__(
        self, target: FileTarget | FolderTarget, *, step_seconds: Fraction, seconds: float = 60.0, live: bool = False
    ) -> None:
        self.wants_pictures = self.wants_previews = self.one_each = True
        self._target = target
        self._step_seconds, self._seconds = step_seconds, seconds
        self._live = live
        self._overlay = Overlay()
        self._open: OpenSources[_Recording] = OpenSources()

    @property
    def name(self) -> str:
        return str(self._target.path)

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Begin to follow a source; its file begins with its first picture, or at once where it is the only one."""
        keeper = SceneKeeper(video_id(source), seconds=self._seconds, step_seconds=self._step_seconds)
        self._open.begin(source, lambda: _Recording(keeper, self._target.first(source)))

    def picture(self, source: str, frame: Frame) -> None:
        """Draw and encode."""
        recording = self._open[source]
        if recording.resumes is not None and 0 <= recording.resumes - frame.seconds <= _PAUSE_SECONDS:
            return
        recording.resumes = None
        try:
            self._record(source, recording, frame)
        except OutputError as error:
            if not self._target.goes_on:
                raise
            report(f"{error}; recording is tried again in {_PAUSE_SECONDS} s", kind="warning")
            recording.resumes = frame.seconds + _PAUSE_SECONDS
            recording.discard()

    def _record(self, source: str, recording: _Recording, frame: Frame) -> None:
        if recording.file is not None and self._target.is_full(recording.file, recording.begin, frame.seconds):
            self._complete(recording)
        wall = recording.keeper.clock.at(frame.seconds) if recording.keeper.clock else time.time()
        if recording.file is None:
            recording.file = self._target.next(source, wall)
        if not recording.file.frames:
            recording.begin = frame.seconds
        clock = _time_of_day(wall) if self._live or recording.keeper.clock else _elapsed(frame.seconds)
        scene = recording.keeper.scene(frame.seconds, clock)
        recording.file.add(self._overlay(recording.sized(frame), scene), frame.seconds)

    def step(self, source: str, step: StageStep) -> None:
        """Show a stage for good, where it belongs: half a window ago."""
        self._open[source].keeper.step(step)

    def preview(self, source: str, preview: StagePreview) -> None:
        """Show what the newest stages are for now."""
        self._open[source].keeper.preview(preview)

    def event(self, source: str, event: StreamEvent) -> None:
        """Show a proposal from the next picture on."""
        self._open[source].keeper.event(event)

    def end(self, source: str, ending: Ending) -> None:
        """Complete the file."""
        recording = self._open.end(source)
        if recording is not None:
            self._complete(recording)

    def close(self) -> None:
        """Discard files of sources that did not end."""
        for recording in self._open.values():
            recording.discard()

    def _complete(self, recording: _Recording) -> None:
        file, recording.file = recording.file, None
        if file is None:
            return
        with file:
            if file.frames:
                file.commit()
                self._target.completed(file.path)


class _Recording:
    """One source: what is known of it, and its file. begin: seconds of the file's first picture. resumes: of the first
    picture after a file that could not be written.
    """

    def __init__(self, keeper: SceneKeeper, file: VideoFile | None) -> None:
        self.keeper = keeper
        self.file = file
        self.begin = Fraction(0)
        self.resumes: Fraction | None = None
        self._scaler: Scaler | None = None

    def discard(self) -> None:
        """Drop its file, which is not complete."""
        file, self.file = self.file, None
        if file is not None:
            file.close()

    def sized(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Its pixels, with even sides and legible; of the size of the first, which that of the file is."""
        if self._scaler is None:
            height, width = frame.pixels.shape[:2]
            factor = -(-_LEAST_WIDTH // width)
            self._scaler = Scaler((max(2, height * factor // 2 * 2), max(2, width * factor // 2 * 2)))
        return self._scaler(Frame(frame.pixels, frame.seconds))


def _time_of_day(wall: float) -> str:
    return datetime.fromtimestamp(wall).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _elapsed(seconds: Fraction) -> str:
    minutes, rest = divmod(float(seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}"


def _is_file(value: str) -> bool:
    """A name with a video's suffix is a file, any other one a folder of recordings."""
    return Path(value).suffix.lower() in VIDEO_SUFFIXES or is_stream(Path(value))


def _paths(value: str, sources: Sequence[str]) -> list[Path]:
    if not _is_file(value):
        return []
    path = Path(value)
    if is_stream(path):
        raise SettingsError(f"--sink video={value}: a video cannot be written to a pipe or device; give a file's path")
    return [picture_path(path, source) for source in sources] if len(sources) > 1 else [path]


def _structured(table: Mapping[str, object], context: SinkContext) -> VideoSettings:
    require_pillow()
    return structure(table, VideoSettings, private=True)


def _in_folder(settings: VideoSettings, folder: Path, context: SinkContext) -> VideoSink:
    target = FolderTarget(
        folder, site=context.site, max_bytes=settings.max_bytes, rotate_seconds=settings.rotate_seconds
    )
    return VideoSink(target, step_seconds=context.step_seconds, seconds=settings.timeline_seconds, live=context.live)


def _from_table(table: Mapping[str, object], context: SinkContext) -> VideoSink:
    settings = _structured(table, context)
    return _in_folder(settings, context.folder / Path(settings.folder).expanduser(), context)


def _open(value: str, context: SinkContext) -> VideoSink:
    if not _is_file(value):
        return _in_folder(VideoSettings(folder=value), Path(value), context)
    target = FileTarget(Path(value), several=len(context.sources) > 1)
    return VideoSink(target, step_seconds=context.step_seconds, live=context.live)


VIDEO = SinkKind(open=_open, paths=_paths, open_table=_from_table, check_table=_structured)
