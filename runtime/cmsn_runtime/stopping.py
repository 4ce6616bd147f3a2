"""Signals that end the program: they take effect between the steps of a stream, and no result is lost.

Imports nothing heavy: it is loaded before anything else, so that Ctrl-C during a slow import is handled too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

READER_LEFT = 128 + signal.SIGPIPE  # what shells report for a program whose reader exited

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_REQUEST_SECONDS = 0.25  # `timeout` and a terminal that closes send their signal twice

Handler = Callable[[int, "FrameType | None"], object]


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP asked the program to end. Like KeyboardInterrupt, it passes `except Exception`.

    note: which results were kept, for the line on stderr.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number
        self.note = ""

    @property
    def status(self) -> int:
        """The exit status of a program ended by that signal, as shells and schedulers expect it."""
        return 128 + self.number


class _Request:
    """The signal that asked this program to end, if any."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._seconds = 0.0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The first signal raises Stopped; a later one ends the process at once."""
        now = time.monotonic()
        if self.number is None:
            self.number, self._seconds = number, now
            raise Stopped(number)
        if now - self._seconds > ONE_REQUEST_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_request: _Request | None = None  # while `stoppable` runs; global, since signals belong to the process


def stoppable(work: Callable[[], int]) -> int:
    """Run a program's work -> its exit status: 130, 143 or 129 where SIGINT, SIGTERM or SIGHUP ended it, in one line.

    Any error that a signal turned into (an import that it interrupts may raise an ImportError) counts as the signal.
    SIGINT and SIGTERM are handled even where they were ignored at the start, as in a shell's background; SIGHUP stays
    ignored, as nohup requires. Outside the main thread, which alone receives signals, it only runs the work.
    """
    with _raised_signals() as request:
        try:
            return work()
        except Stopped as stopped:
            return _ended(stopped)
        except Exception:
            if request.number is None:
                raise
            return _ended(Stopped(request.number))


def raise_if_stopped() -> None:
    """Raise Stopped where a signal arrived whose exception was swallowed, or turned into another error."""
    if _request is not None and _request.number is not None:
        raise Stopped(_request.number)


def _ended(stopped: Stopped) -> int:
    if "cmsn_runtime.reporting" in sys.modules:
        from cmsn_runtime.reporting import report

        report(f"{stopped}{stopped.note}", kind="warning")
    elif sys.stderr is not None:  # the signal came during an import; libraries imported again write lines of their own
        with suppress(OSError, ValueError):
            sys.stderr.write(f"cmsn: warning: {stopped}\n")
            sys.stderr.flush()
    return stopped.status


@contextmanager
def _raised_signals() -> Iterator[_Request]:
    global _request
    if _request is not None or not _in_main_thread():
        yield _request or _Request()
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    hook = sys.unraisablehook

    def pass_over(unraisable: sys.UnraisableHookArgs, /) -> None:
        if not isinstance(unraisable.exc_value, Stopped):  # swallowed in a destructor: Steps raises it again
            hook(unraisable)

    _request = _Request()
    sys.unraisablehook = pass_over
    try:
        for number, handler in before.items():
            if number != signal.SIGHUP or handler != signal.SIG_IGN:
                signal.signal(number, _request.handle)
        yield _request
    finally:
        _request = None
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class Steps:
    """Holds signals back while a step is running: a stream stopped within a step could not be flushed.

        with Steps() as steps:
            for frame in source:    # a signal takes effect here at once ...
                with steps.whole:   # ... and here when the block has ended
                    stream.push(frame)
                steps.check()

    The installed handlers (`stoppable`'s, Python's own for Ctrl-C, an application's) are replaced once and called from
    here, so that a step costs no system call. Outside the main thread this does nothing.
    """

    def __init__(self) -> None:
        self.whole = _Whole()
        self._handlers: dict[int, Handler] = {}
        self._raised: BaseException | None = None

    def __enter__(self) -> Steps:
        if _in_main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if error is None:
            self._let_through()

    def check(self) -> None:
        """Let a signal that was held back, or whose exception was swallowed, take effect."""
        self._let_through()
        if self._raised is not None:
            raise self._raised
        raise_if_stopped()

    def _let_through(self) -> None:
        if self.whole.waiting is not None:
            waiting, self.whole.waiting = self.whole.waiting, None
            self._call(*waiting)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.whole.running and self._raised is None:
            self.whole.waiting = self.whole.waiting or (number, frame)
        else:
            self._call(number, frame)

    def _call(self, number: int, frame: FrameType | None) -> None:
        try:
            self._handlers[number](number, frame)
        except BaseException as error:
            self._raised = error
            raise


class _Whole:
    """The block during which signals wait."""

    def __init__(self) -> None:
        self.running = False
        self.waiting: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> None:
        self.running = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running = False


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
