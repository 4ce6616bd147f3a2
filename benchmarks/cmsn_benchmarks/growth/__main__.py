"""Measures how cost grows, and fits the exponents.

    python -m cmsn_benchmarks.growth [--parts video,cameras,proposals,window] [--quick] [--rounds 5] [--json OUT]

A cost is fitted as base + rate * size ** exponent, and the exponent has a 95 % interval. Sizes take turns.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from cmsn_benchmarks.growth.looping import looped
from cmsn_benchmarks.growth.series import Part, Series
from cmsn_benchmarks.run_facts import run_facts
from cmsn_runtime.files import write_whole
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

PARTS = ("video", "cameras", "proposals", "window")
_CLIP_SECONDS = 60


def measure(part: str, folder: Path, *, quick: bool, rounds: int) -> Part:
    """One part; quick: fewer and smaller sizes, to try it out."""
    # Each imported where it is measured: only one of them needs torch.
    if part == "proposals":
        from cmsn_benchmarks.growth.proposals import measure_proposals

        return measure_proposals(rounds=rounds, seconds=0.02 if quick else 0.3)
    if part == "window":
        from cmsn_benchmarks.growth.window import measure_window

        return measure_window(width=0.125 if quick else 1.0, rounds=rounds, seconds=0.02 if quick else 0.5)
    seconds = 15 if quick else 60
    clip = _clip(folder, seconds)
    if part == "video":
        from cmsn_benchmarks.growth.video import measure_video

        times = (1, 2, 4) if quick else (1, 2, 4, 8, 16, 32)
        videos = {seconds / 60 * count: _looped(clip, count) for count in times}
        return measure_video(_clip(folder, 1), videos, rounds=rounds)
    from cmsn_benchmarks.growth.cameras import COUNTS, measure_cameras

    counts, each = ((1, 2, 4, 8), 0.5) if quick else (COUNTS, 6.0)
    longer = math.ceil(rounds * len(counts) * (each + 30) / seconds)  # than all that is measured
    return measure_cameras(_looped(clip, longer), counts=counts, rounds=rounds, seconds=each)


def table_of(part: Part) -> Table:
    """Medians, and below them the fitted exponents."""
    table = Table(part.size, title=f"by {part.size}", box=box.SIMPLE)
    for series in part.series:
        table.add_column(f"{series.name}, {series.unit}", justify="right")
    for index, size in enumerate(part.sizes):
        table.add_row(f"{size:.4g}", *(f"{statistics.median(series.values[index]):.4g}" for series in part.series))
    table.add_section()
    table.add_row("exponent", *(f"{series.growth.exponent:.3f}" for series in part.series))
    table.add_row("95 %", *(f"{series.growth.low:.3f} to {series.growth.high:.3f}" for series in part.series))
    table.add_row("bound", *(_bound(series) for series in part.series))
    table.add_row("largest distance", *(f"{series.growth.off:.1%}" for series in part.series))
    return table


@click.command()
@click.option("--parts", default=",".join(PARTS), show_default=True, callback=lambda _, __, value: _names(value))
@click.option("--quick", is_flag=True, help="Fewer and smaller sizes, two rounds: to try it out.")
@click.option("--rounds", type=click.IntRange(2), help="Turns of each size.  [default: 5, quick: 2]")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(parts: tuple[str, ...], quick: bool, rounds: int | None, output: Path | None) -> None:
    """Measure the parts, print them, and exit with 1 where an exponent misses its bound."""
    rounds = rounds or (2 if quick else 5)
    command = f"python -m cmsn_benchmarks.growth{' --quick' if quick else ''}"
    facts: dict[str, object] = {**run_facts(), "command": command, "rounds": rounds}
    found: dict[str, Part] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in parts:
            found[name] = measure(name, Path(temporary), quick=quick, rounds=rounds)
            Console().print(table_of(found[name]))
            if output is not None:  # after each part, so that an interrupted run keeps what it has
                report = {**facts, "parts": {each: asdict(part) for each, part in found.items()}}
                write_whole(output, (json.dumps(_rounded(report), indent=1) + "\n").encode())
    if not all(series.holds for part in found.values() for series in part.series):
        sys.exit(1)


def _clip(folder: Path, seconds: int) -> Path:
    """A rendered clip, made once."""
    clips = folder / f"{seconds}-seconds"
    if not clips.is_dir():
        render_streams(clips, RenderSettings(seconds=seconds, seed=11), streams=1)
    return next(clips.glob("*.mp4"))


def _looped(clip: Path, times: int) -> Path:
    target = clip.parent.parent / f"{clip.parent.name}-{times}-times.mp4"
    looped(clip, target, times)
    return target


def _names(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(","))
    if unknown := sorted(set(names) - set(PARTS)):
        raise click.BadParameter(f"{', '.join(unknown)}: no such part; there are {', '.join(PARTS)}")
    return names


def _bound(series: Series) -> str:
    ends = [f"{word} {end:g}" for word, end in (("from", series.least), ("to", series.most)) if end is not None]
    return " ".join([*ends, "" if series.holds else "MISSED"]).strip()


def _rounded(value: object) -> object:
    """Figures to 5 significant digits: no measurement has more."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value


if __name__ == "__main__":
    main()
