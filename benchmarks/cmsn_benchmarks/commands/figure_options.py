"""What `cmsn bench` does with figures: where they go, limits, and files of earlier runs instead of measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from cmsn_runtime.commands.options.grouping import grouped

if TYPE_CHECKING:
    from cmsn_benchmarks.device.figures import BenchReport
    from cmsn_benchmarks.device.limits import FigureLimit

_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class FigureChoice:
    """The options. earlier: a file to be shown, compared: two, both instead of measuring."""

    json: Path | None
    plot: Path | None
    fail_over: tuple[str, ...]
    fail_under: tuple[str, ...]
    earlier: Path | None
    compared: tuple[Path, Path] | None

    def limits(self) -> tuple[FigureLimit, ...]:
        """Raises SettingsError for a text that is none."""
        from cmsn_benchmarks.device.limits import read_limits

        return read_limits(self.fail_over, self.fail_under)

    def require_places(self) -> None:
        """Find out before anything is measured whether the outputs can be written. Raises CmsnError."""
        from cmsn_benchmarks.device.picture.drawing import require_drawable
        from cmsn_runtime.files import is_stream, require_writable, written_to

        if self.plot is not None:
            require_drawable(self.plot)
        if self.json is not None and not is_stream(self.json):
            with written_to(self.json):
                require_writable(self.json)

    def keep(self, report: BenchReport, *, finished: bool) -> None:
        """Write the figures so far; what cannot be replaced, such as a pipe, gets only those of a finished run."""
        from cmsn_benchmarks.device.report_file import write_report
        from cmsn_runtime.files import is_stream

        if self.json is not None and is_stream(self.json) == finished:
            write_report(self.json, report)

    def show_stopped(self, reports: Sequence[BenchReport]) -> None:
        """The table of a run that was stopped, where it has figures yet: that of the last of its reports."""
        from cmsn_benchmarks.device.table import print_report
        from cmsn_runtime.files import STDOUT

        measured = any(backend.first_result is not None for report in reports[-1:] for backend in report.backends)
        if measured and STDOUT not in (self.json, self.plot):
            print_report(reports[-1])

    def show(self, report: BenchReport, limits: Sequence[FigureLimit]) -> None:
        """Table, picture, and a line for each figure over its limit, of which one makes the exit status 1."""
        from cmsn_benchmarks.device.limits import exceeded
        from cmsn_benchmarks.device.picture.drawing import draw_report
        from cmsn_benchmarks.device.table import print_report
        from cmsn_runtime.files import STDOUT
        from cmsn_runtime.reporting import report as report_line

        if STDOUT not in (self.json, self.plot):
            print_report(report)
        if self.plot is not None:
            draw_report(report, self.plot)
        lines = exceeded(report, limits)
        for line in lines:
            report_line(line)
        if lines:
            click.get_current_context().exit(1)


def compare(paths: tuple[Path, Path]) -> None:
    """Print two reports side by side. Raises AnnotationError for a file that is none."""
    from cmsn_benchmarks.device.comparing.table import print_comparison
    from cmsn_benchmarks.device.report_file import read_report

    first, second = map(read_report, paths)
    print_comparison(first, second)


def require_alone(option: str, *allowed: str) -> None:
    """Refuse what has no effect beside an option that measures nothing: all but some parameters. Raises UsageError."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in allowed:
            raise click.UsageError(f"{option} measures nothing; omit {parameter.opts[0]}", context)


figure_options = grouped(
    "figures",
    FigureChoice,
    click.option("--json", metavar="FILE", type=_PATH, help="Write all figures here; - is standard output."),
    click.option("--plot", metavar="FILE", type=_PATH, help="Draw them: a name that ends in .png or .svg."),
    click.option(
        "--fail-over",
        metavar="LIMIT",
        multiple=True,
        help="Exit with status 1 where a figure is over [BACKEND:][single:|multi:]NAME=VALUE, such as p99=40ms, "
        "multi:p95=80ms, memory=500MB or openvino:first_result=3s; may be repeated.",
    ),
    click.option(
        "--fail-under",
        metavar="LIMIT",
        multiple=True,
        help="The same for figures of which more is better: fps=100, openvino:cameras=4.",
    ),
    click.option("--from", "earlier", metavar="FILE.json", type=_PATH, help="Show an earlier run; measure nothing."),
    click.option(
        "--compare",
        "compared",
        nargs=2,
        metavar="A.json B.json",
        type=_PATH,
        help="Compare two earlier runs; measure nothing.",
    ),
)
