"""What `cmsn bench` measures, and for how long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from cmsn_runtime.commands.options.grouping import grouped

MEASUREMENTS = ("single-stream", "multi-stream", "cameras", "roofline")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")


@dataclass(frozen=True, slots=True)
class MeasureChoice:
    """The options. limit: milliseconds. picture: (width, height). None: the default for a usual or a quick run."""

    backend: tuple[str, ...]
    engines: Path | None
    threads: int | None
    measure: tuple[str, ...]
    cameras: int
    seconds: float | None
    warm_up: float | None
    search_seconds: float | None
    limit: float
    film: Path | None
    picture: tuple[int, int]
    quick: bool


def names(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def measurements(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    """Names of measurements. Raises BadParameter."""
    found = names(context, option, value)
    wrong = [name for name in found if name not in MEASUREMENTS]
    if wrong:
        raise click.BadParameter(f"{', '.join(wrong)}: unknown; there are {', '.join(MEASUREMENTS)}", context, option)
    return found


def milliseconds(context: click.Context, option: click.Parameter, value: str) -> float:
    """A time such as 500ms or 0.5s -> milliseconds. Raises BadParameter."""
    match = _TIME.fullmatch(value)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no time; give one such as 500ms or 0.5s", context, option)
    return float(match[1]) * (1e3 if match[2] == "s" else 1.0)


def size(context: click.Context, option: click.Parameter, value: str) -> tuple[int, int]:
    """A size such as 640x480 -> (640, 480); both even, as H.264 needs them. Raises BadParameter."""
    match = _SIZE.fullmatch(value)
    if match is None or int(match[1]) % 2 or int(match[2]) % 2:
        raise click.BadParameter(f"{value!r} is no size; give two even numbers such as 640x480", context, option)
    return int(match[1]), int(match[2])


_POSITIVE = click.FloatRange(0, min_open=True)

measure_options = grouped(
    "choice",
    MeasureChoice,
    click.option(
        "--backend",
        callback=names,
        default="auto",
        show_default=True,
        metavar="NAME[,NAME...]",
        help="What runs the networks; several are measured one after the other, each in a process of its own.",
    ),
    click.option(
        "--engines", metavar="DIR", type=click.Path(path_type=Path), help="TensorRT engines; by default your own."
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads per network on the CPU; by default what suits it."),
    click.option(
        "--measure",
        callback=measurements,
        default=",".join(MEASUREMENTS),
        show_default=True,
        metavar="NAME[,NAME...]",
        help="What to measure, besides time to the first result and memory.",
    ),
    click.option(
        "--cameras", type=click.IntRange(1), default=8, show_default=True, help="Cameras per query of multi-stream."
    ),
    click.option("--seconds", type=_POSITIVE, help="Duration of each scenario.  [default: 5]"),
    click.option("--warm-up", type=_POSITIVE, help="Seconds before each that are not counted.  [default: 1]"),
    click.option(
        "--search-seconds", type=_POSITIVE, help="Limit of the search for the most live cameras.  [default: 25]"
    ),
    click.option(
        "--limit",
        callback=milliseconds,
        default="500ms",
        show_default=True,
        metavar="TIME",
        help="A camera fits while its 99th percentile from frame to event is within this.",
    ),
    click.option(
        "--film",
        metavar="FILE",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="What the live cameras film; by default one that is made here.",
    ),
    click.option(
        "--picture",
        callback=size,
        default="640x480",
        show_default=True,
        metavar="WxH",
        help="Size of the film that is made.",
    ),
    click.option("--quick", is_flag=True, help="A first impression in a third of the time."),
)
