"""Videos and cameras through PyAV: whatever FFmpeg opens."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType

import av
import av.error
from av import VideoFrame

from cmsn_runtime.errors import SourceError
from cmsn_runtime.frames import Frame
from cmsn_runtime.sources.clock import StreamClock
from cmsn_runtime.sources.picture import PictureMaker

_TIMEOUT_SECONDS = 20.0  # without data, to open and for each read
_BAD_PACKETS_IN_A_ROW = 250  # ten seconds of nothing: what is left of this video is not decodable
_SHORT_SECONDS = Fraction(1)  # headers round; a video that ends this much early is broken
_USUAL_INTERVAL = Fraction(1, 25)
_CONTAINER_TICKS = 1_000_000  # AV_TIME_BASE

_ADVICE: tuple[tuple[type[av.error.FFmpegError], str], ...] = (
    (av.error.FileNotFoundError, "check the path"),
    (av.error.IsADirectoryError, "name a video inside it"),
    (av.error.PermissionError, "check who may read it"),
    (av.error.ProtocolNotFoundError, "check the part before '://'"),
    (av.error.DemuxerNotFoundError, "this build of FFmpeg cannot read cameras or this format"),
    (av.error.InvalidDataError, "it is damaged, cut short, or no video"),
    (av.error.ExitError, f"nothing came for {_TIMEOUT_SECONDS:.0f} seconds; check that it is sending"),
)


class VideoSource:
    """Frames of the best video stream of `url`, upright, with exact times (see StreamClock and PictureMaker).

    url: path, URL or device, as av.open takes it.
    name: for messages; default: the URL.
    format: FFmpeg's name of the input format where it cannot be guessed ("v4l2").
    size: (height, width) to scale upright pictures to while they are converted; None: as they are.
    live: see Source. A live source has no duration, and ending early is no fault.

    dropped_frames counts frames whose time did not increase, skipped_packets those that could not be decoded: single
    ones are passed over. Raises SourceError from the constructor and, where no frame could be decoded, from the
    iteration; DecodeError at the end of the iteration where the video is incomplete. Memory does not grow with length.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        format: str | None = None,
        size: tuple[int, int] | None = None,
        live: bool = False,
    ) -> None:
        self.name = name or url
        self.live = live
        self.skipped_packets = 0
        # PyAV keeps FFmpeg's own log lines off stderr unless the application asks for them; so nothing is set here.
        self._container = _open(url, format, self.name)
        try:
            self._stream = _video_stream(self._container, self.name)
        except SourceError:
            self._container.close()
            raise
        time_base = _seconds(self._stream.time_base) or Fraction(1, _CONTAINER_TICKS)
        rate = _seconds(self._stream.average_rate)
        self._ticks = time_base
        self._clock = StreamClock(time_base, interval=1 / rate if rate else _USUAL_INTERVAL)
        self._picture = PictureMaker(size)
        self._begin, self.duration = (Fraction(0), None) if live else _extent(self._container, self._stream)
        self._data_end = self._video_end = self._shown_end = self._begin
        self._broken: av.error.FFmpegError | None = None
        self._frames = self._read()

    @property
    def dropped_frames(self) -> int:
        """Frames left out because their time did not increase."""
        return self._clock.dropped_frames

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or device; may be called twice."""
        self._container.close()

    def _read(self) -> Iterator[Frame]:
        for picture in self._decode():
            moment = self._clock.place(picture.pts, picture.dts)
            if moment is None:
                continue
            self._shown_end = max(self._shown_end, moment.seconds + (picture.duration or 0) * self._ticks)
            yield Frame(self._picture(picture), moment.seconds, moment.discontinuity)
        self._check_end()

    def _decode(self) -> Iterator[VideoFrame]:
        """Decode on slices only (PyAV's default): frame threads delay a camera, and conceal damage differently each run."""
        bad_in_a_row = 0
        for packet in self._demux():
            try:
                pictures = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                self.skipped_packets += 1
                bad_in_a_row += 1
                if bad_in_a_row == _BAD_PACKETS_IN_A_ROW:
                    self._broken = error
                    return
                continue
            bad_in_a_row = 0
            yield from pictures
