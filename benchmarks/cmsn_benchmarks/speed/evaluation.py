"""Times the AR-AN curve: the compiled way against the public evaluators' loops.

    python -m cmsn_benchmarks.speed.evaluation [--proposals LIST --truth CSV] [--json OUT] [--repeats N]

LIST has lines of `video start_frame end_frame`, best first; CSV the columns video-name, f-init, f-end and label-idx, as
TURN's thumos14_test_groundtruth.csv. Without them, random lists as long as TAG's on THUMOS14: 213 videos, 250 proposals
each. The two take turns within one run and must agree on every point; the result is the ratio of the medians.
"""

from __future__ import annotations

import csv
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from cmsn_benchmarks.references import evaluation as reference_evaluation
from cmsn_training.evaluation import ACTIVITYNET, THUMOS, Protocol, Spans, recall_curve

_VIDEOS, _PROPOSALS, _SEGMENTS, _FRAMES = 213, 250, 16, 6500
_LARGEST_DIFFERENCE = 1e-12

Lists = dict[str, Spans]


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians in milliseconds of one curve, and the largest difference between the two ways' recalls, 0..1."""

    protocol: str
    proposals: int
    segments: int
    ours_ms: float
    loops_ms: float
    ratio: float
    difference: float


def read_proposals(path: Path) -> Lists:
    """Video -> spans [K, 2] in frames, in the file's order."""
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        name, start, end = line.split()
        found[name].append((float(start), float(end)))
    return {name: np.array(rows) for name, rows in found.items()}


def read_truth(path: Path) -> Lists:
    """Video -> true segments [G, 2] in frames; none for a video that has only Ambiguous ones."""
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            segments = found[row["video-name"]]
            if row["label-idx"] != "-1":
                segments.append((float(row["f-init"]), float(row["f-end"])))
    return {name: np.array(rows).reshape(-1, 2) for name, rows in found.items()}


def random_lists(seed: int = 0) -> tuple[Lists, Lists]:
    """As many proposals and true segments as TAG's list and THUMOS14 have; half of the proposals lie on a segment."""
    rng = np.random.default_rng(seed)
    proposals: Lists = {}
    truth: Lists = {}
    for video in range(_VIDEOS):
        starts = np.sort(rng.uniform(0, _FRAMES, _SEGMENTS))
        segments = np.stack([starts, starts + rng.uniform(30, 300, _SEGMENTS)], axis=1).round()
        near = segments[rng.integers(0, _SEGMENTS, _PROPOSALS // 2)] + rng.normal(0, 20, (_PROPOSALS // 2, 2))
        far = rng.uniform(0, _FRAMES, (_PROPOSALS - len(near), 1)) + np.array([0, 100])
        mixed = np.sort(rng.permutation(np.concatenate([near, far])), axis=1)
        proposals[str(video)], truth[str(video)] = mixed.round(), segments
    return proposals, truth


def measure(proposals: Lists, truth: Lists, protocol: Protocol, *, repeats: int) -> Timing:
    """Time both in turn. Raises ClickException where they do not agree."""
    curve = recall_curve(proposals, truth, protocol)  # compiles too
    numbers, average = reference_evaluation.average_recall(proposals, truth, protocol)
    difference = float(max(np.abs(average - curve.average).max(), np.abs(numbers / curve.numbers - 1).max()))
    if difference > _LARGEST_DIFFERENCE:
        raise click.ClickException(
            f"{protocol.name}: the two ways differ by {difference:g}, so their times are not comparable"
        )
    ours: list[float] = []
    loops: list[float] = []
    for _ in range(repeats):
        ours.append(_milliseconds(lambda: recall_curve(proposals, truth, protocol)))
        loops.append(_milliseconds(lambda: reference_evaluation.average_recall(proposals, truth, protocol)))
    return Timing(
        protocol.name,
        sum(len(rows) for rows in proposals.values()),
        sum(len(rows) for rows in truth.values()),
        statistics.median(ours),
        statistics.median(loops),
        statistics.median(loops) / statistics.median(ours),
        difference,
    )


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(help="Time the AR-AN curve against the public evaluators' loops.")
@click.option("--proposals", type=_FILE, help="Lines of `video start_frame end_frame`, best first.")
@click.option("--truth", type=_FILE, help="TURN's CSV of THUMOS14's test set.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Also write the figures here.")
@click.option("--repeats", default=7, show_default=True, type=click.IntRange(1))
def main(proposals: Path | None, truth: Path | None, output: Path | None, repeats: int) -> None:
    """The command line."""
    if (proposals is None) != (truth is None):
        raise click.UsageError("--proposals and --truth go together; without both, random lists are timed")
    if proposals is not None and truth is not None:
        lists, source = (read_proposals(proposals), read_truth(truth)), proposals.name
    else:
        lists, source = random_lists(), "random"
    timings = [measure(*lists, protocol, repeats=repeats) for protocol in (THUMOS, ACTIVITYNET)]
    Console().print(_table(timings, source))
    if output is not None:
        report = {"list": source, "repeats": repeats, "timings": [asdict(timing) for timing in timings]}
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _table(timings: list[Timing], source: str) -> Table:
    table = Table(title=f"One AR-AN curve, list {source}, median milliseconds", box=box.SIMPLE)
    for heading in ("protocol", "proposals", "segments", "ours", "loops", "ratio"):
        table.add_column(heading, justify="left" if heading == "protocol" else "right")
    for t in timings:
        figures = (f"{t.ours_ms:.2f}", f"{t.loops_ms:.0f}", f"{t.ratio:.0f}")
        table.add_row(t.protocol, str(t.proposals), str(t.segments), *figures)
    return table


if __name__ == "__main__":
    main()
