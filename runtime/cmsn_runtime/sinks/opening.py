"""From what was asked for, and whether anybody is watching, to the sinks that do it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from typing import TextIO

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.files import STDOUT
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.csv_file import CsvSink
from cmsn_runtime.sinks.jsonl import JsonLinesSink
from cmsn_runtime.sinks.outputs import Outputs
from cmsn_runtime.sinks.results import ResultsSink


def open_sinks(
    outputs: Outputs,
    stack: ExitStack,
    *,
    step_seconds: Fraction,
    one_each: bool = False,
    truth: Mapping[str, VideoAnnotations] | None = None,
) -> list[Sink]:
    """Open what was asked for; `stack` closes it.

    People at a terminal get a table on stdout and a progress bar on stderr. Where stdout is no terminal, it gets JSON
    lines, unless they go to a file. See TimelineSink for step_seconds, one_each and truth. Raises SettingsError and
    MissingExtraError.
    """
    screen = _is_terminal(sys.stdout)
    piped_json = outputs.json is None and not screen and not outputs.quiet
    sinks: list[Sink] = []
    # The bar comes first: it has to be gone from the terminal before the table is printed there.
    if not outputs.quiet and _is_terminal(sys.stderr) and not (screen and outputs.json == STDOUT):
        from cmsn_runtime.sinks.console import ProgressSink

        sinks.append(stack.enter_context(ProgressSink(events=outputs.events)))
    if outputs.json is not None or piped_json:
        path = None if outputs.json in (None, STDOUT) else outputs.json
        sinks.append(stack.enter_context(JsonLinesSink(path, events=outputs.events)))
    if outputs.csv is not None:
        sinks.append(stack.enter_context(CsvSink(outputs.csv)))
    if outputs.results is not None:
        sinks.append(stack.enter_context(ResultsSink(outputs.results)))
    if outputs.timeline is not None:
        from cmsn_runtime.sinks.timeline import TimelineSink

        timeline = TimelineSink(outputs.timeline, step_seconds=step_seconds, truth=truth, one_each=one_each)
        sinks.append(stack.enter_context(timeline))
    if not outputs.quiet and screen and outputs.json != STDOUT:
        from cmsn_runtime.sinks.console import TableSink

        sinks.append(stack.enter_context(TableSink(truth=truth)))
    return sinks


def _is_terminal(stream: TextIO | None) -> bool:
    """Python has none where the shell closed it (`>&-`)."""
    return stream is not None and stream.isatty()
