"""Options that FFmpeg's formats and protocols need, and properties it does not report."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from fractions import Fraction

# Raw streams and pictures: FFmpeg invents 25 frames per second for them, whatever the camera's rate was.
_TIMELESS = frozenset(
    {
        *("h264", "hevc", "vvc", "evc", "obu", "m4v", "mpegvideo", "mjpeg", "mpjpeg", "mjpeg_2000", "vc1", "dirac"),
        *("h261", "h263", "cavsvideo", "avs2", "avs3", "dnxhd", "ingenient", "apv", "rawvideo", "v210", "v210x"),
        *("bitpacked", "image2", "image2pipe"),
    }
)
# Only DTS are in the file, and the PTS that FFmpeg guesses are late by what the decoder holds back.
_WITHOUT_PTS = frozenset({"avi"})
# Their counter of 33 bits wraps after 26.5 hours; where an HLS playlist has MPEG-TS, its unit shows it.
_WITH_SHORT_COUNTER = frozenset({"mpegts", "mpeg", "hls"})
_SHORT_COUNTER = 1 << 33
_SHORT_COUNTER_UNIT = Fraction(1, 90_000)
_NEVER_ENDING = frozenset({"rtsp", "rtp", "sdp", "sap", "mpjpeg"})

# FFmpeg takes every fall of a clock for a wrap, and would report what follows a restarted camera 26.5 hours too late.
# It would begin a playlist without an end mark three segments before its end.
_ALWAYS: Mapping[str, str] = {
    "correct_ts_overflow": "0",
    "seg_format_options": "correct_ts_overflow=0",
    "live_start_index": "0",
}
# Without TCP, lost packets are grey pictures. With sound, RTCP shifts the video's PTS. Probing the rate costs 0.8 s.
_RTSP: Mapping[str, str] = {"rtsp_transport": "tcp", "allowed_media_types": "video", "fpsprobesize": "0"}
# A playlist on disk without an end mark gets five reloads to grow.
_LOCAL: Mapping[str, str] = {"m3u8_hold_counters": "5"}


def has_time(format: str) -> bool:
    """Whether the format carries timestamps at all."""
    return format not in _TIMELESS and not format.endswith("_pipe")


def has_presentation_time(format: str) -> bool:
    """Whether it carries PTS, rather than DTS alone."""
    return format not in _WITHOUT_PTS


def counter_period(format: str, time_base: Fraction) -> int | None:
    """Ticks after which timestamps wrap; None where they do not."""
    return _SHORT_COUNTER if format in _WITH_SHORT_COUNTER and time_base == _SHORT_COUNTER_UNIT else None


def never_ends(format: str) -> bool:
    """Whether only live streams have the format."""
    return format in _NEVER_ENDING


def is_end(scheme: str, error: Exception | None) -> bool:
    """Whether an error is how FFmpeg says that an HTTP server, which gave no length, has closed the connection."""
    return scheme in ("http", "https") and isinstance(error, OSError) and error.errno == errno.EIO


def demuxer_options(scheme: str, given: Mapping[str, str]) -> dict[str, str]:
    """FFmpeg's options for an address of that scheme ("" for a file): `given` before the defaults."""
    usual = _RTSP if scheme in ("rtsp", "rtsps") else _LOCAL if not scheme else {}
    return {**_ALWAYS, **usual, **given}
