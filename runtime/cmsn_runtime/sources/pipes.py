"""Reads pipes and standard input such that signals still reach Python."""

from __future__ import annotations

import os
import select
import stat
import warnings
from pathlib import Path
from typing import Protocol

from cmsn_runtime.errors import SourceError, SourceWarning

_SILENCE_MS = 20_000
_CUT_PIPE = "no video came that can be read in one go (MP4 often cannot); pipe MPEG-TS or Matroska, or give a file"


class DataReader(Protocol):
    """A file that PyAV reads, in place of an address. advice: what to do where it holds no video."""

    name: str
    advice: str

    def read(self, size: int) -> bytes:
        """`size` bytes at most; empty at the end, or where reading failed."""
        ...

    def raise_failure(self) -> None:
        """Raise what ended a read, if anything did."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


class PipeReader:
    """A pipe as a file that PyAV reads.

    FFmpeg's own reads of a silent pipe cannot be interrupted: Ctrl-C would be lost. A pipe ends when its writers do; it
    is waited for as long as one has it open, or none ever had, which a SourceWarning reports once.

    name: for messages. PyAV prints what a read raises, and continues as if the data had ended; so a read that fails, or
    that a signal interrupts, only ends the data, and `raise_failure` raises what did it.
    """

    advice = _CUT_PIPE

    def __init__(self, descriptor: int, *, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._warned = False
        self._failure: BaseException | None = None

    @classmethod
    def open(cls, path: str) -> PipeReader:
        """A named pipe; it need not have a writer yet. Raises SourceError."""
        try:
            return cls(os.open(path, os.O_RDONLY | os.O_NONBLOCK), name=path)
        except OSError as error:
            raise SourceError(f"{path}: cannot be opened: {error.strerror}; check who may read it") from error

    def read(self, size: int) -> bytes:
        """The available data, `size` bytes at most; empty at the end, or where reading failed."""
        try:
            while not self._poll.poll(_SILENCE_MS):
                self._warn()
            return os.read(self._descriptor, size)
        except BaseException as error:
            self._failure = error
            return b""

    def raise_failure(self) -> None:
        """Raise what ended a read, if anything did."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Close the pipe; standard input stays open. May be called twice."""
        if self._descriptor > 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            seconds = _SILENCE_MS // 1000
            warnings.warn(f"{self.name}: nothing came for {seconds} s; still waiting", SourceWarning, stacklevel=2)


def is_pipe(path: str) -> bool:
    """Whether the path is a named pipe."""
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False
