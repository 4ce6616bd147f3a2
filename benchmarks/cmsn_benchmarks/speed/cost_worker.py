"""The CPU time of one `cmsn run` by its parts; `cost` runs this text in the interpreter of each version.

    PYTHON -c TEXT OUT run CLIP [OPTION ...]

It imports only what every version of cmsn_runtime has, and writes a JSON object to OUT.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

INTERPRETER = time.process_time()

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Part -> where its functions are. What a version lacks is counted to the part that encloses it.
_PARTS = {
    "decode": ["sources.video:VideoSource._decode"],
    "times": ["sources.video:VideoSource._read"],
    "convert": ["pictures.fitting:Fitting.crop"],
    "prepare": ["streams.timed:TimedStream.push", "streams.timed:TimedStream.flush"],
    "propose": ["streams.segment:propose"],
    "rank": ["streams.segment:rank", "streams.segment:sightings_of", "tracking.tracker:Tracker.update"],
    "events": [f"sinks.outlets:Outlets.{hook}" for hook in ("events", "advance", "picture", "step", "preview")],
}
NETWORKS = ("extract", "stages", "evaluate")
NETWORK_THREADS = "network threads"  # of their libraries


class Meter:
    """CPU seconds by part, of all Python threads. A part within another is not counted to that one."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.threads: set[int] = set()  # of Python, that have run a part
        self._of_thread = threading.local()

    def enter(self, part: str) -> None:
        """A part begins in this thread."""
        stack = self._counted()
        stack.append(part)

    def leave(self) -> None:
        """The newest part of this thread ends."""
        self._counted().pop()

    def timed(self, part: str, function: _Function) -> _Function:
        """The function, counted to the part; where it is a generator, while it runs."""

        @wraps(function)
        def counted(*args: Any, **options: Any) -> Any:
            self.enter(part)
            try:
                found = function(*args, **options)
            finally:
                self.leave()
            return self._iterated(part, found) if part in ("decode", "times") else found

        return cast(_Function, counted)

    def _iterated(self, part: str, items: Any) -> Iterator[Any]:
        try:
            while True:
                self.enter(part)
                try:
                    item = next(items)
                except StopIteration:
                    return
                finally:
                    self.leave()
                yield item
        finally:
            items.close()

    def _counted(self) -> list[str]:
        """The stack of this thread; the time since the last change is counted to its newest part."""
        here, now = self._of_thread, time.thread_time()
        if not hasattr(here, "stack"):
            here.stack = []
            self.threads.add(threading.get_native_id())
        elif here.stack:
            self.seconds[here.stack[-1]] += now - here.since
        here.since = now
        return cast("list[str]", here.stack)


class Phases:
    """Process time at the end of each phase of a run, and what was spent by threads that are not Python's."""

    def __init__(self, meter: Meter) -> None:
        self.ends: dict[str, float] = {"interpreter": INTERPRETER}
        self.parts: defaultdict[str, float] = defaultdict(float)
        self._meter = meter
        self._threads: dict[int, float] = {}

    def reached(self, phase: str) -> None:
        """The end of a phase."""
        self.ends[phase] = time.process_time()

    def begin_steady(self) -> None:
        """The stream is open and warm; frames follow."""
        self.reached("warming")
        self._meter.seconds.clear()
        self._threads = thread_seconds()

    def end_steady(self) -> None:
        """All was flushed. Threads that were there before the first frame are the networks', others the decoder's."""
        self.reached("steady")
        self.parts = defaultdict(float, self._meter.seconds)
        for thread, seconds in thread_seconds().items():
            if thread not in self._meter.threads and thread != threading.main_thread().native_id:
                part = NETWORK_THREADS if thread in self._threads else "decode"
                self.parts[part] += seconds - self._threads.get(thread, 0)


def thread_seconds() -> dict[int, float]:
    """CPU seconds of each thread of this process so far."""
    found = {}
    for folder in Path("/proc/self/task").iterdir():
        try:
            found[int(folder.name)] = int((folder / "schedstat").read_text().split()[0]) / 1e9
        except OSError:  # it has just ended
            continue
    return found


def followed(function: _Function, then: Callable[[Any], None]) -> _Function:
    """The function, after which `then` gets its result."""

    @wraps(function)
    def both(*args: Any, **options: Any) -> Any:
        found = function(*args, **options)
        then(found)
        return found

    return cast(_Function, both)


def replace(place: str, change: Callable[[Any], Any]) -> None:
    """Put something else in the place of `module:name` or `module:Class.name`, where the version has it."""
    module, _, name = place.partition(":")
    *holders, last = name.split(".")
    holder: Any = importlib.import_module(f"cmsn_runtime.{module}")
    for each in holders:
        holder = getattr(holder, each)
    if hasattr(holder, last):
        setattr(holder, last, change(getattr(holder, last)))


def measure(out: Path, arguments: list[str]) -> int:
    """Run the command line -> its exit status."""
    meter = Meter()
    phases = Phases(meter)
    calls: Counter[str] = Counter()

    def opened(bundle: Any) -> None:
        phases.reached("opening")
        kind = type(bundle.backend)
        for network in NETWORKS:
            setattr(kind, network, meter.timed(network, getattr(kind, network)))

    for part, places in _PARTS.items():
        for place in places:
            replace(place, partial(meter.timed, part))
    replace("streams.timed:TimedStream.push", lambda push: followed(push, lambda _: calls.update(frames=1)))
    replace("sinks.outlets:Outlets.events", lambda hook: _counting_events(hook, calls))
    replace("sinks.outlets:Outlets.begin", lambda hook: followed(hook, lambda _: phases.begin_steady()))
    replace("sinks.outlets:Outlets.end", lambda hook: followed(hook, lambda _: phases.end_steady()))
    replace("bundle:open_bundle", lambda function: followed(function, opened))
    from cmsn_runtime.cli import run_command_line

    phases.reached("imports")
    status = run_command_line(arguments)
    ends = list(phases.ends.items())
    spent = {name: end - before for (_, before), (name, end) in zip([("", 0.0), *ends], ends, strict=False)}
    found = {"phases": spent, "parts": dict(phases.parts), **calls}
    out.write_text(json.dumps(found), encoding="utf-8")
    return int(status)


def _counting_events(hook: _Function, calls: Counter[str]) -> _Function:
    @wraps(hook)
    def counted(outlets: Any, source: str, events: Any) -> None:
        calls["events"] += len(events)
        hook(outlets, source, events)

    return cast(_Function, counted)


if __name__ == "__main__":
    sys.exit(measure(Path(sys.argv[1]), sys.argv[2:]))
