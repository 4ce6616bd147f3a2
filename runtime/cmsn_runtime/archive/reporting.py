"""How far an archive is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cmsn_runtime.archive.archiving import Plan
from cmsn_runtime.archive.driving import Progress
from cmsn_runtime.reporting import say
from cmsn_runtime.text import printable

_LINE_SECONDS = 30.0
_BAR_SECONDS = 0.2

Tell = Callable[[Progress], None]


def plan_line(plan: Plan) -> str:
    """What there is to do, in one line."""
    parts = [f"{len(plan.jobs)} videos to compute", f"{plan.present} have a result"]
    parts += [f"{plan.same} are copies"] if plan.same else []
    parts += [f"{len(plan.aside)} are set aside"] if plan.aside else []
    return ", ".join(parts)


def progress_line(progress: Progress, *, seconds: float) -> str:
    """What was done since the start, in one line. seconds: since then."""
    parts = [f"{progress.done} of {progress.wanted} videos done", f"{progress.seconds / 3600:.2f} h of video"]
    parts += [f"{progress.seconds / seconds:.1f} times real time"] if seconds > 0 and progress.seconds else []
    parts += [f"{progress.proposals} proposals"]
    named = {
        "by others": progress.elsewhere,
        "not read to their end": progress.incomplete,
        "set aside": len(progress.aside),
        "workers died": progress.deaths,
    }
    parts += [f"{number} {name}" for name, number in named.items() if number]
    if progress.left and progress.done:
        parts.append(f"about {_span(seconds / progress.done * progress.left)} left")
    return ", ".join(parts)


@contextmanager
def reporter(plan: Plan) -> Iterator[Tell]:
    """A function that shows a Progress; the last one is shown at the end, however that comes."""
    shown = _Bar() if sys.stderr is not None and sys.stderr.isatty() else _Lines()
    begin, last = time.monotonic(), Progress(len(plan.jobs))

    def tell(progress: Progress) -> None:
        nonlocal last
        last = progress
        shown(progress_line(progress, seconds=time.monotonic() - begin))

    try:
        yield tell
    finally:
        shown.end()
        say(progress_line(last, seconds=time.monotonic() - begin))


class _Lines:
    def __init__(self) -> None:
        self._next = time.monotonic() + _LINE_SECONDS

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LINE_SECONDS
            say(line)

    def end(self) -> None: ...


class _Bar:
    """One line of the terminal, written again and again."""

    def __init__(self) -> None:
        self._next = 0.0
        self._length = 0

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _BAR_SECONDS
            self._write(printable(line))

    def end(self) -> None:
        self._write("")
        sys.stderr.write("\r")
        sys.stderr.flush()

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r{line}{' ' * max(0, self._length - len(line))}")
        sys.stderr.flush()
        self._length = len(line)


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
