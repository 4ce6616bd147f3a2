"""Measures a bundle on spliced surveillance streams of unseen sources.

    python -m cmsn_benchmarks.quality.cctv FOLDER [--bundle cctv] [--json OUT]

FOLDER is the test split of `cmsn_benchmarks.datasets.cctv_streams`. Streaming (the stage network runs at every step)
beside the paper's windows (it runs every half window), with AR@N, AR@N by allowed delay in both forms, and two
baselines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cmsn_benchmarks.quality.demo import shuffled
from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.sources.opening import open_source
from cmsn_training.data.truth import segments_of
from cmsn_training.evaluation import Spans, average_recall, sliding_windows
from cmsn_training.evaluation.delay import DELAYS, first_hits, recall_by_delay
from cmsn_training.evaluation.events import Reported, reports_of

AN = (1, 3, 5, 10, 50)
_CHUNK_FRAMES = 8


def reports_from(bundle: Bundle, video: Path, *, hop_steps: int) -> list[Reported]:
    """All events that the bundle reports on one video, as from a camera."""
    with (
        bundle.stream(chunk_frames=_CHUNK_FRAMES, hop_steps=hop_steps) as stream,
        open_source(video) as source,
    ):
        events = [event for frame in source for event in stream.push(frame)]
        events += stream.flush()
    return reports_of(events)


def final_spans(reports: list[Reported]) -> Spans:
    """The final proposals [K, 2], best first."""
    finals = sorted((report for report in reports if report.kind == "final"), key=lambda report: -report.score)
    return np.array([(report.start, report.end) for report in finals]).reshape(-1, 2)


def measure(bundle: Bundle, folder: Path) -> dict[str, Any]:
    """Average recalls and delays of both schedules, and recalls of the baselines; percent and seconds."""
    annotations = read_annotations(folder / "annotations.json")
    truth = {name: segments_of(video) for name, video in annotations.items()}
    lengths = {name: float(video.duration or 0) for name, video in annotations.items()}
    report: dict[str, Any] = {"streams": len(truth), "actions": sum(map(len, truth.values())), "schedules": {}}
    found: dict[str, Spans] = {}
    for schedule, hop in (("windowed", bundle.grid.window // 2), ("streaming", 1)):
        reported = {
            name: reports_from(bundle, folder / f"{name}.mp4", hop_steps=hop) for name in track(sorted(truth), schedule)
        }
        found = {name: final_spans(reports) for name, reports in reported.items()}
        hits = np.array(first_hits(reported, truth))
        forms = {"AR@10_by_delay": None, "AR@10_by_delay_in_proportion": lengths}
        by_delay = {
            form: recall_by_delay(reported, truth, numbers=(10,), delays=DELAYS, lengths=given)[10]
            for form, given in forms.items()
        }
        report["schedules"][schedule] = {
            "average_recall": recalls(found, truth),
            **{
                form: {f"{delay:g}": round(value, 2) for delay, value in values.items()}
                for form, values in by_delay.items()
            },
            "percent_ever_hit": round(float(100 * np.isfinite(hits).mean()), 2),
            "median_seconds_to_first_hit": round(float(np.median(hits[np.isfinite(hits)])), 3),
        }
    mixed = [recalls(one, truth) for one in shuffled(found)]
    windows = {
        name: np.random.default_rng(0).permutation(sliding_windows(video.duration or 0.0, lengths=(2, 4, 8, 16)))
        for name, video in annotations.items()
    }
    report["baselines"] = {
        "its proposals, scores shuffled": {key: round(float(np.mean([r[key] for r in mixed])), 2) for key in mixed[0]},
        "sliding windows of 2 to 16 s, any order": recalls(windows, truth),
    }
    return report


def recalls(found: dict[str, Spans], truth: dict[str, Spans]) -> dict[str, float]:
    """AR@N over the first N of each video, tIoU 0.5:0.05:0.95."""
    return {f"AR@{n}": round(average_recall(found, truth, per_video=n), 2) for n in AN}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--bundle", default="cctv", show_default=True, help="A bundle's name or folder.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(folder: Path, bundle: str, output: Path | None) -> None:
    """Run both schedules and compare them."""
    with open_bundle(bundle) as opened:
        report = measure(opened, folder)
    table = Table(title=f"{report['streams']} spliced streams of unseen sources; average recall, percent")
    for column in ("", *(f"AR@{n}" for n in AN)):
        table.add_column(column, justify="right" if column else "left")
    rows = {name: part["average_recall"] for name, part in report["schedules"].items()} | report["baselines"]
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.1f}" for value in row.values()))
    Console().print(table)
    for name, part in report["schedules"].items():
        Console().print(f"{name}: AR@10 by delay {part['AR@10_by_delay']}")
        Console().print(f"{name}: in proportion to time {part['AR@10_by_delay_in_proportion']}")
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
