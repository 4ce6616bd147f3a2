"""What finality policies cost in recall and in waiting, and whether later looks make proposals worse.

    python -m cmsn_benchmarks.quality.finality CLIPS [--streams FOLDER] [--json OUT] [--picture PNG]

CLIPS holds clips.csv (see cmsn_benchmarks.datasets.cctv_streams). Splices and renders the streams, runs both bundles
over them as from a camera with every policy, and prints a table per set: those that settings were chosen on, and unseen
ones.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cmsn_benchmarks.datasets.cctv_streams import splice
from cmsn_benchmarks.quality.cctv import final_spans
from cmsn_benchmarks.quality.later_looks import NUMBER, Reports, changes, curves, draw
from cmsn_benchmarks.quality.policies import Policy, reports_by_policy
from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_training.data.truth import segments_of
from cmsn_training.evaluation import Spans, average_recall
from cmsn_training.evaluation.delay import recall_by_delay
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import ANNOTATIONS_FILE, render_streams

AN = (1, 5, 10, 20, 50)
DELAYS = (1.0, 2.0, 5.0)  # seconds after an action's end
OWN, WITHOUT = "the bundle's own", "alternative_looks 0"
_CHOSEN = {"settle_steps": (4, 6, 8), "alternative_looks": (0, 1, 2, 3, 4)}
_ALL = {
    "settle_steps": (1, 2, 4, 6, 8, 12, 16),
    "provisional_steps": (4, 8, 12, 16),
    "provisional_score": (0.5, 0.7),
    "revise_steps": (2, 4),
    "alternative_looks": (0, 1, 2, 3, 4),
}


@dataclass(frozen=True, slots=True)
class Streams:
    """A set of streams. varied: setting -> its values, one after the other beside the bundle's own for the rest."""

    name: str
    bundle: str
    folder: Path
    varied: Mapping[str, Sequence[float]]

    @property
    def policies(self) -> dict[str, Policy]:
        """By the text that tables show."""
        changed = ((setting, value) for setting, values in self.varied.items() for value in values)
        return {OWN: {}} | {f"{setting} {value:g}": {f"tracking.{setting}": value} for setting, value in changed}


def prepared(clips: Path, folder: Path) -> list[Streams]:
    """Splice and render all sets that the folder lacks: those that settings were chosen on, then the unseen ones."""
    if not (folder / "cctv" / "test" / ANNOTATIONS_FILE).exists():
        splice(clips, folder / "cctv", counts={"train": 24, "validation": 48, "test": 24}, seed=1)
    for name, seed, count in (("validation", 900001, 12), ("test", 700001, 20)):
        if not (folder / "demo" / name / ANNOTATIONS_FILE).exists():
            render_streams(folder / "demo" / name, RenderSettings(seconds=60.0, seed=seed), streams=count)
    return [
        Streams("cctv, training sources", "cctv", folder / "cctv" / "train", _CHOSEN),
        Streams("cctv, validation sources", "cctv", folder / "cctv" / "validation", _CHOSEN),
        Streams("demo, validation streams", "demo", folder / "demo" / "validation", _CHOSEN),
        Streams("cctv, unseen sources", "cctv", folder / "cctv" / "test", _ALL),
        Streams("demo, unseen streams", "demo", folder / "demo" / "test", _ALL),
    ]


def measure(bundle: Bundle, streams: Streams) -> dict[str, Any]:
    """Rows of all policies, and the curves of recall by delay; percent, seconds, and counts per action."""
    annotations = read_annotations(streams.folder / ANNOTATIONS_FILE)
    truth = {name: segments_of(video) for name, video in annotations.items()}
    lengths = {name: float(video.duration or 0) for name, video in annotations.items()}
    reports: dict[str, dict[str, Any]] = {policy: {} for policy in streams.policies}
    for name in track(sorted(truth), streams.name):
        for policy, found in reports_by_policy(bundle, streams.folder / f"{name}.mp4", streams.policies).items():
            reports[policy][name] = found
    step = float(bundle.grid.step_seconds)
    return {
        "streams": len(truth),
        "actions": sum(map(len, truth.values())),
        "policies": {policy: row(found, truth, lengths) for policy, found in reports.items()},
        "after_two_looks": changes(reports[OWN], truth, step),
        f"AR@{NUMBER}_by_delay": curves(reports[WITHOUT], reports[OWN], truth, lengths, step),
    }


def row(reports: Reports, truth: Mapping[str, Spans], lengths: Mapping[str, float]) -> dict[str, float]:
    """AR@10 by delay in proportion to the time gone by, AR@N of the finals, messages and waits."""
    finals = {name: final_spans(list(mine)) for name, mine in reports.items()}
    by_delay = recall_by_delay(reports, truth, numbers=(NUMBER,), delays=DELAYS, lengths=lengths)[NUMBER]
    return {
        **{f"{delay:g} s": round(value, 2) for delay, value in by_delay.items()},
        **{f"AR@{n}": round(average_recall(finals, truth, per_video=n), 2) for n in AN},
        **_messages(reports),
    }


def _messages(reports: Reports) -> dict[str, float]:
    """Per announced action: withdrawals in percent, revisions; median seconds from its start to the first report, and
    from its end to the finals, both as its best final has them.
    """
    kinds: Counter[str] = Counter()
    first_waits, final_waits = [], []
    for mine in reports.values():
        announced: dict[int, float] = {}
        finished: set[int] = set()
        for report in mine:
            kinds[report.kind] += 1
            announced.setdefault(report.action, report.at)
            if report.kind == "final" and report.action not in finished:
                finished.add(report.action)
                first_waits.append(announced[report.action] - report.start)
                final_waits.append(report.at - report.end)
    return {
        "withdrawn_percent": round(100 * kinds["withdrawn"] / kinds["provisional"], 1),
        "revisions": round(kinds["revised"] / kinds["provisional"], 1),
        "seconds_to_first": round(float(np.median(first_waits)), 2),
        "seconds_to_final": round(float(np.median(final_waits)), 2),
    }


def print_rows(name: str, report: Mapping[str, Any]) -> None:
    """The policies of one set."""
    rows: dict[str, dict[str, float]] = report["policies"]
    table = Table(title=f"{name}: {report['streams']} streams, {report['actions']} actions", title_justify="left")
    for column in ("policy", *next(iter(rows.values()))):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for policy, figures in rows.items():
        table.add_row(policy, *(f"{value:.1f}" for value in figures.values()))
    Console(width=160).print(table)


@click.command()
@click.argument("clips", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--streams", "kept", type=click.Path(path_type=Path), help="Keep the streams here, and use those there.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curves of recall by delay here, as a PNG.")
def main(clips: Path, kept: Path | None, output: Path | None, picture: Path | None) -> None:
    """Measure every policy on every set."""
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        for streams in prepared(clips, kept or Path(temporary)):
            with open_bundle(streams.bundle) as bundle:
                found[streams.name] = measure(bundle, streams)
            print_rows(streams.name, found[streams.name])
    if output is not None:
        output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if picture is not None:
        shown = {name: report[f"AR@{NUMBER}_by_delay"] for name, report in found.items() if "training" not in name}
        draw(shown, picture)


if __name__ == "__main__":
    main()
