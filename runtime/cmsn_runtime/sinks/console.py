"""The display in a terminal: a progress bar, events as they come, and a table at the end of each source."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cmsn_runtime.annotations import Annotation, VideoAnnotations
from cmsn_runtime.events import Notice, Proposal, StreamEvent
from cmsn_runtime.names import video_id
from cmsn_runtime.sinks.base import Ending, EventChoice, OpenSources, Sink, is_chosen
from cmsn_runtime.sinks.ranking import BestActions
from cmsn_runtime.text import printable

TABLE_ROWS = 25
_COLOURS = {"provisional": "yellow", "revised": "cyan", "withdrawn": "dim", "final": "green", "source_lost": "red"}
_OTHER_COLOUR = "magenta"


class TableSink(Sink):
    """At the end of each source: its actions, best first, each with its best proposal.

    truth: annotations of videos; with them, each row shows the best tIoU with any true action.
    The table has TABLE_ROWS rows at most, so that memory does not grow with the source.
    """

    def __init__(self, console: Console | None = None, *, truth: Mapping[str, VideoAnnotations] | None = None) -> None:
        self._console = console or Console()
        self._truth = truth
        self._best: OpenSources[BestActions] = OpenSources()

    @property
    def name(self) -> str:
        return "the table"

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Start a table."""
        self._best.begin(source, lambda: BestActions(TABLE_ROWS))

    def event(self, source: str, event: StreamEvent) -> None:
        """Keep the event if it is among the best."""
        self._best[source].add(event)

    def end(self, source: str, ending: Ending) -> None:
        """Print the table."""
        best = self._best.end(source)
        if best is None:
            return
        if not best.total:
            self._console.print(Text(f"{printable(source)}: no action found"))
            return
        truth = None if self._truth is None else self._truth.get(video_id(source))
        self._console.print(_table(source, best, truth.annotations if truth else None))


class ProgressSink(Sink):
    """Bars and events, for a terminal. Meant for stderr, so that stdout has only results.

    networks: what runs them, shown once, above the first bar.
    """

    passive = True

    def __init__(self, console: Console | None = None, *, events: EventChoice = "all", networks: str = "") -> None:
        # stdout is left alone: where it is a pipe, rich would write what is meant for it to the terminal instead.
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[clock]}"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._events = events
        self._networks = networks
        self._bars: OpenSources[_Bar] = OpenSources()

    @property
    def name(self) -> str:
        return "the progress bar"

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Show a bar; that of a live source, which has no end, shows only its time."""
        self._bars.begin(source, lambda: _Bar(self._progress, source, duration))
        self._progress.start()
        if self._networks:
            self._progress.console.print(Text(f"networks: {printable(self._networks)}", style="dim"))
            self._networks = ""

    def advance(self, source: str, seconds: Fraction) -> None:
        """Move the bar."""
        self._bars[source].advance(seconds)

    def event(self, source: str, event: StreamEvent) -> None:
        """Print one line above the bars; alternatives (ranks after 1) appear only in files."""
        if (isinstance(event, Notice) or event.rank <= 1) and is_chosen(event, self._events):
            several = len(self._bars.values()) > 1
            self._progress.console.print(_news(event, printable(source) if several else ""))

    def end(self, source: str, ending: Ending) -> None:
        """Remove the bar."""
        bar = self._bars.end(source)
        if bar is not None:
            bar.remove()
        if not self._bars.values():
            self._progress.stop()

    def close(self) -> None:
        """Restore the terminal, whatever happened."""
        self._progress.stop()


class _Bar:
    """One source's progress, in seconds since its first frame."""

    def __init__(self, progress: Progress, source: str, duration: Fraction | None) -> None:
        self._progress = progress
        self._first: Fraction | None = None
        total = float(duration) if duration else None
        self._task: TaskID = progress.add_task(printable(source), total=total, clock="")

    def advance(self, seconds: Fraction) -> None:
        if self._first is None:
            self._first = seconds
        self._progress.update(self._task, completed=float(seconds - self._first), clock=f"{float(seconds):.1f} s")

    def remove(self) -> None:
        self._progress.remove_task(self._task)


def _news(event: StreamEvent, source: str) -> Text:
    line = Text(f"{source}  " if source else "")
    line.append(f"{float(event.seconds):9.2f} s  ")
    line.append(f"{event.kind:<11}", style=_COLOURS.get(event.kind, _OTHER_COLOUR))
    if isinstance(event, Notice):
        return line.append(f"  {event.reason}")
    proposal = event.proposal
    span = f"{float(proposal.start):.2f} – {float(proposal.end):.2f} s"
    return line.append(f"  action {event.action:<4}  {span:<22}  score {proposal.score:.3f}")


def _table(source: str, best: BestActions, truth: tuple[Annotation, ...] | None) -> Table:
    table = Table(title=Text(printable(source), style="bold"), caption=_caption(best), title_justify="left")
    for name in ("#", "action", "start [s]", "end [s]", "length [s]", "score", "final after [s]"):
        table.add_column(Text(name), justify="right")
    if truth is not None:
        table.add_column("best tIoU", justify="right")
    for number, (event, proposal) in enumerate(best.ranked(), start=1):
        length, delay = proposal.end - proposal.start, event.seconds - proposal.end
        seconds = [f"{float(value):.2f}" for value in (proposal.start, proposal.end, length)]
        cells = [str(number), str(event.action), *seconds, f"{proposal.score:.3f}", f"{float(delay):.2f}"]
        table.add_row(*cells, *([] if truth is None else [_agreement(proposal, truth)]))
    return table


def _caption(best: BestActions) -> str | None:
    rest = [
        f"{best.total - TABLE_ROWS} more actions" if best.total > TABLE_ROWS else "",
        f"{best.alternatives} alternative proposals" if best.alternatives else "",
    ]
    more = " and ".join(part for part in rest if part)
    return f"{more}: --json, --csv and --results have them" if more else None


def _agreement(proposal: Proposal, truth: tuple[Annotation, ...]) -> str:
    best = max((one.tiou(float(proposal.start), float(proposal.end)) for one in truth), default=0.0)
    return f"{best:.2f}" if best > 0 else "–"
