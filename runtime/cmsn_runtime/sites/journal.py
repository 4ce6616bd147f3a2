"""Log lines on stderr: one for each change, for a terminal, a file or systemd's journal, and never with a secret."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from cmsn_runtime.events import Notice, StreamEvent
from cmsn_runtime.reporting import Kind, reports_to
from cmsn_runtime.secrets import scrubbed
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.stopping import Stopped
from cmsn_runtime.text import one_line

log = logging.getLogger("cmsn")

# Priorities of syslog, which the journal takes from the begin of a line (man sd-daemon).
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}
_FREQUENT = frozenset({"gap", "overload"})
_ONE_LINE_SECONDS = 60.0
_BAD = frozenset({"source_lost", "gap", "overload"})


@contextmanager
def logging_lines() -> Iterator[None]:
    """Everything that is logged or reported goes to stderr, a line each; failures of threads too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(in_journal="JOURNAL_STREAM" in os.environ))
    root, hook, ignored = logging.getLogger(), threading.excepthook, sys.unraisablehook
    root.addHandler(handler)
    level, log.level = log.level, logging.INFO
    threading.excepthook = _thread_failed
    sys.unraisablehook = _destructor_failed
    try:
        with reports_to(_reported):
            yield
    finally:
        threading.excepthook = hook
        sys.unraisablehook = ignored
        log.level = level
        root.removeHandler(handler)


class JournalSink(Sink):
    """Logs when a camera begins, delivers its first frame, is lost, back, cut, and ends.

    A machine that is too slow cuts a camera every few seconds, for weeks: that is one line a minute, with their number.
    """

    passive = True

    def __init__(self) -> None:
        self._silent: set[str] = set()  # no frame yet
        self._cuts: dict[tuple[str, str], _Cuts] = {}  # by camera and kind

    @property
    def name(self) -> str:
        return "the log"

    def begin(self, source: str, duration: Fraction | None) -> None:
        """It is being opened."""
        self._silent.add(source)
        log.info("%s: opening", source)

    def advance(self, source: str, seconds: Fraction) -> None:
        """Its first frame was processed."""
        if source in self._silent:
            self._silent.discard(source)
            log.info("%s: running", source)

    def event(self, source: str, event: StreamEvent) -> None:
        """Notices only: actions go to the outputs."""
        if not isinstance(event, Notice):
            return
        more = ""
        if event.kind in _FREQUENT:
            cuts = self._cuts.setdefault((source, event.kind), _Cuts())
            if not cuts.is_due():
                return
            more = cuts.taken()
        level = logging.WARNING if event.kind in _BAD else logging.INFO
        log.log(level, "%s: %s: %s%s", source, event.kind, event.reason, more)

    def end(self, source: str, ending: Ending) -> None:
        """It has ended."""
        self._silent.discard(source)
        if ending.reason:
            log.warning("%s: ended: %s", source, ending.reason)
        else:
            log.info("%s: ended", source)


class _Cuts:
    """How often a camera was cut since the last line about it."""

    def __init__(self) -> None:
        self._logged: float | None = None
        self._since = 0

    def is_due(self) -> bool:
        """Whether this one is to be logged; it is counted otherwise."""
        due = self._logged is None or time.monotonic() - self._logged >= _ONE_LINE_SECONDS
        self._since += not due
        return due

    def taken(self) -> str:
        """What the line reports of those that were not logged."""
        more, self._since, self._logged = self._since, 0, time.monotonic()
        return f" ({more} more since the last line)" if more else ""


class _Lines(logging.Formatter):
    """One line each: with the time of day, or, in the journal, which has it already, with a priority."""

    def __init__(self, *, in_journal: bool) -> None:
        super().__init__()
        self._in_journal = in_journal

    def format(self, record: logging.LogRecord) -> str:
        text = one_line(scrubbed(record.getMessage()))
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text += one_line(scrubbed(f" ({type(error).__name__}: {error})"))
        if self._in_journal:
            return f"<{_PRIORITIES.get(record.levelno, 5)}>{text}"
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"{now} {level}{text}"


def _reported(message: object, kind: Kind) -> None:
    log.log(_LEVELS[kind], "%s", message)


def _destructor_failed(failure: sys.UnraisableHookArgs) -> None:
    if not isinstance(failure.exc_value, Stopped):  # swallowed in a destructor: it takes effect elsewhere
        log.error("a destructor failed (%s: %s): a fault of cmsn", failure.exc_type.__name__, failure.exc_value)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread is not None else "a thread"
    log.error("%s failed (%s: %s): a fault of cmsn", name, failure.exc_type.__name__, failure.exc_value)
