"""Standard input, called "-", and named pipes."""

from __future__ import annotations

import os
import stat
import sys

from cmsn_runtime.errors import SourceError
from cmsn_runtime.sources.kinds import SourceKind
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.pipes import PipeReader, is_pipe
from cmsn_runtime.sources.video import VideoSource

STANDARD_INPUT = frozenset({"-", "pipe:", "pipe:0", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_NAME = "stdin"


def _claims(address: str) -> bool:
    return address in STANDARD_INPUT or is_pipe(address)


def _open(address: str, *, options: SourceOptions) -> VideoSource:
    if address not in STANDARD_INPUT:
        return VideoSource(PipeReader.open(address), options=options)
    descriptor = _descriptor()
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # `< video.mp4`: a file, which can be wound
        return VideoSource("file:/dev/stdin", name=_NAME, options=options)
    return VideoSource(PipeReader(descriptor, name=_NAME), options=options)


def standard_input() -> PipeReader:
    """Standard input as a file that PyAV reads. Raises SourceError where it is closed, or a terminal."""
    return PipeReader(_descriptor(), name=_NAME)


def _descriptor() -> int:
    try:
        descriptor = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
        os.fstat(descriptor)
    except (OSError, ValueError):  # closed by the shell (`<&-`)
        raise SourceError("stdin: standard input is closed; pipe a video into it") from None
    if os.isatty(descriptor):
        raise SourceError(
            "stdin: standard input is a terminal; pipe a video into it, as in: ffmpeg -i URL -c copy -f mpegts - | ..."
        )
    return descriptor


KIND = SourceKind(claims=_claims, open=_open)
