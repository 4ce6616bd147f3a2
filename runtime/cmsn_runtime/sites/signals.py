"""Signals of a program that runs until it is asked to end: requests, which its main loop takes when it can."""

from __future__ import annotations

import os
import queue
import signal
import time
from contextlib import AbstractContextManager
from types import FrameType, TracebackType

from cmsn_runtime.stopping import ONE_REQUEST_SECONDS

_END = (signal.SIGINT, signal.SIGTERM)


class Signals(AbstractContextManager["Signals"]):
    """While it is open, SIGINT, SIGTERM and SIGHUP are requests. A second one to end ends the process at once.

    They are handled even where they were ignored at the start, as in a shell's background. Only in the main thread.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()  # its `put` is safe in handlers
        self._ending: float | None = None

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._handle) for number in (*_END, signal.SIGHUP)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def next(self, seconds: float) -> signal.Signals | None:
        """The next request; None where none comes within that time."""
        try:
            return self._requests.get(timeout=seconds)
        except queue.Empty:
            return None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number in _END:
            now = time.monotonic()
            if self._ending is not None and now - self._ending > ONE_REQUEST_SECONDS:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            self._ending = self._ending or now
        self._requests.put(signal.Signals(number))
