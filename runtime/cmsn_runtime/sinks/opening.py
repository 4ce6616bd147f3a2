"""Opens the sinks that were requested, and those for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TextIO

from cmsn_runtime.files import STDOUT, descriptor_of
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind, find_sink
from cmsn_runtime.sinks.outages import OutageSink
from cmsn_runtime.sinks.outputs import Outputs
from cmsn_runtime.sinks.places import Place, require_separate, source_places


@dataclass(frozen=True, slots=True)
class PlannedSinks:
    """What will be opened: kinds with their values, and what people at a terminal get beside them.

    bar: progress and news on stderr. lines: JSON lines on stdout that nobody asked for. table: a table on stdout.
    """

    asked: tuple[tuple[SinkKind, str], ...]
    bar: bool
    lines: bool
    table: bool

    def open(self, context: SinkContext) -> list[Sink]:
        """Open them; those that were opened are closed if one cannot be. Raises OutputError and MissingExtraError."""
        with ExitStack() as stack:
            sinks = [stack.enter_context(sink) for sink in self._opened(context)]
            stack.pop_all()
        return sinks

    def _opened(self, context: SinkContext) -> Iterator[Sink]:
        # The bar comes first: it has to be gone from the terminal before the table is printed there.
        if self.bar:
            from cmsn_runtime.sinks.console import ProgressSink

            yield ProgressSink(events=context.events, networks=context.networks)
        elif context.live:
            yield OutageSink()
        if self.lines:
            from cmsn_runtime.sinks.jsonl import JsonLinesSink

            yield JsonLinesSink(events=context.events)
        for kind, value in self.asked:
            yield kind.open(value, context)
        if self.table:
            from cmsn_runtime.sinks.console import TableSink

            yield TableSink(truth=context.truth)


def plan_sinks(outputs: Outputs, sources: Sequence[str], inputs: Sequence[Place] = ()) -> PlannedSinks:
    """Decide what to open, and check it before anything is read, see `require_separate`.

    People at a terminal get a table on stdout and a progress bar on stderr. Where stdout is not a terminal, it gets
    JSON lines, unless they go to a file, or another output has stdout.

    inputs: what is read beside the sources. Raises SettingsError and OutputError.
    """
    outputs.require_names(sources)
    asked = [(option, find_sink(name), value) for option, name, value in outputs.asked()]
    places = [Place(option, path) for option, kind, value in asked for path in kind.paths(value, sources)]
    screen = _is_terminal(sys.stdout)
    taken = any(place.path == STDOUT or descriptor_of(place.path) == 1 for place in places)
    lines = not (outputs.quiet or screen or taken) and all(name != "json" for _, name, _ in outputs.asked())
    table = screen and not outputs.quiet and not taken
    if (lines or table) and sys.stdout is not None:
        places.append(Place("standard output", STDOUT))
    require_separate(places, [*source_places(sources), *inputs])
    bar = not outputs.quiet and _is_terminal(sys.stderr) and not (screen and taken)
    return PlannedSinks(tuple((kind, value) for _, kind, value in asked), bar=bar, lines=lines, table=table)


def _is_terminal(stream: TextIO | None) -> bool:
    """Python has none where the shell closed it (`>&-`)."""
    return stream is not None and stream.isatty()
