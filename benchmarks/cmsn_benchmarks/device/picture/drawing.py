"""Draws the figures of `cmsn bench` as one picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_benchmarks.device.backend_names import named
from cmsn_benchmarks.device.figures import BenchReport
from cmsn_benchmarks.device.machine_words import machine_words
from cmsn_benchmarks.device.picture import panels
from cmsn_benchmarks.device.picture.style import FONT_SIZE, TEXT_COLOUR, Backends, backend_colour
from cmsn_runtime.checking import shown
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.extras import require_library
from cmsn_runtime.files import is_stream, replacing, require_writable, written_to
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
_WIDTH_INCHES, _ROW_INCHES, _HEADING_INCHES = 12.0, 4.2, 0.7
_DPI = 100  # 1200 columns
_HEADING_LETTERS = 130

_Panel = Callable[["Axes", Backends], None]


def require_drawable(path: Path) -> None:
    """Find out before anything is measured whether a picture can be drawn there.

    Raises SettingsError for another format, MissingExtraError, OutputError.
    """
    if path.suffix.lower() not in FORMATS:
        raise SettingsError(f"--plot is {shown(str(path))}; it must end in {' or '.join(FORMATS)}")
    require_library("matplotlib", extra="bench", purpose="a picture of the figures")
    if not is_stream(path):
        with written_to(path):
            require_writable(path)


def draw_report(report: BenchReport, path: Path) -> None:
    """Write the picture: completely or not at all. Uses no global state of matplotlib. Raises OutputError."""
    from matplotlib.figure import Figure

    drawn = _panels(report.backends)
    rows = max((len(drawn) + 1) // 2, 1)
    size = (_WIDTH_INCHES, rows * _ROW_INCHES + _HEADING_INCHES)
    figure = Figure(figsize=size, dpi=_DPI, facecolor="white", layout="constrained")
    for place, panel in enumerate(drawn, start=1):
        panel(figure.add_subplot(rows, 2, place), report.backends)
    _draw_heading(figure, report)
    kind = path.suffix[1:].lower()
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format=kind, metadata={"Date": None} if kind == "svg" else None)


def _panels(backends: Backends) -> list[_Panel]:
    """Those of which there are figures."""
    found: list[_Panel] = []
    if any(each.single_stream is not None and each.single_stream.queries for each in backends):
        found += [panels.histogram, panels.parts, panels.over_time]
    if any(each.sustained is not None and each.sustained.loads for each in backends):
        found.append(panels.cameras)
    return found


def _draw_heading(figure: Figure, report: BenchReport) -> None:
    from matplotlib.patches import Patch

    machine = printable(machine_words(report.machine))
    heading = f"{printable(report.bundle.name)} at {report.bundle.rate:g} fps on {machine}"
    heading = heading if len(heading) <= _HEADING_LETTERS else f"{heading[: _HEADING_LETTERS - 1]}…"
    figure.suptitle(heading, fontsize=FONT_SIZE, weight="bold", color=TEXT_COLOUR, parse_math=False)
    patches = [
        Patch(color=backend_colour(index), label=printable(named(each))) for index, each in enumerate(report.backends)
    ]
    legend = figure.legend(
        handles=patches, loc="outside lower center", ncols=min(len(patches), 4) or 1, frameon=False, fontsize=FONT_SIZE
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
