"""Measures the demo bundle on rendered streams of unseen seeds.

    python -m cmsn_benchmarks.quality.demo [--bundle NAME.cmsn] [--streams 20] [--seed 700001] [--json OUT]

Renders the streams, runs the bundle over them as from a camera, and prints AR@N (tIoU 0.5:0.05:0.95) of its final
proposals beside two baselines: sliding windows, and the same proposals with their scores shuffled.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.events import Proposal
from cmsn_runtime.sources.opening import open_source
from cmsn_training.evaluation import Spans, average_recall, sliding_windows
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

AN = (1, 3, 5, 10, 20, 50)
_WINDOW_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)


def final_proposals(bundle: Bundle, video: Path) -> list[Proposal]:
    """Every final proposal of a video, best first."""
    with bundle.stream() as stream, open_source(str(video)) as source:
        events = [event for frame in source for event in stream.push(frame)]
        events += stream.flush()
    finals = [event.proposal for event in events if event.kind == "final" and event.proposal is not None]
    return sorted(finals, key=lambda proposal: -proposal.score)


def as_spans(proposals: list[Proposal]) -> Spans:
    """Sliding windows [K, 2] in seconds."""
    return np.array([(float(p.start), float(p.end)) for p in proposals]).reshape(-1, 2)


def shuffled(spans: Mapping[str, Spans], *, rounds: int = 20) -> list[dict[str, Spans]]:
    """The same proposals in random order, several times: shows what the scores add."""
    rng = np.random.default_rng(0)
    return [{name: rng.permutation(rows) for name, rows in spans.items()} for _ in range(rounds)]


def measure(bundle: Bundle, folder: Path) -> dict[str, dict[str, float]]:
    """Method -> {"AR@N": percent} on a folder of videos with its annotations.json."""
    truth_file = read_annotations(folder / "annotations.json")
    truth = {
        name: np.array([(item.start, item.end) for item in video.annotations]).reshape(-1, 2)
        for name, video in truth_file.items()
    }
    found = {
        name: as_spans(final_proposals(bundle, folder / f"{name}.mp4")) for name in track(sorted(truth), "Running")
    }
    sliding = {
        name: np.random.default_rng(0).permutation(sliding_windows(video.duration or 0.0, lengths=_WINDOW_SECONDS))
        for name, video in truth_file.items()
    }

    def recalls(*runs: Mapping[str, Spans]) -> dict[str, float]:
        return {
            f"AR@{n}": round(float(np.mean([average_recall(run, truth, per_video=n) for run in runs])), 2) for n in AN
        }

    return {
        "CMSN": recalls(found),
        "CMSN, scores shuffled": recalls(*shuffled(found)),
        "sliding windows": recalls(sliding),
    }


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Default: the one in the package.")
@click.option("--streams", default=20, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(10))
@click.option("--seed", default=700001, show_default=True, type=click.IntRange(0))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(bundle: Path | None, streams: int, seconds: float, seed: int, output: Path | None) -> None:
    """Render the streams, run the bundle, compare."""
    with tempfile.TemporaryDirectory() as temporary, open_bundle(bundle) as opened:
        folder = Path(temporary)
        render_streams(folder, RenderSettings(seconds=seconds, seed=seed), streams=streams)
        results = measure(opened, folder)
    table = Table(title=f"{streams} rendered streams of {seconds:g} s, seed {seed}; average recall, percent")
    table.add_column("method")
    for n in AN:
        table.add_column(f"AR@{n}", justify="right")
    for method, values in results.items():
        table.add_row(method, *(f"{value:.1f}" for value in values.values()))
    Console().print(table)
    if output is not None:
        report = {"streams": streams, "seconds": seconds, "seed": seed, "average_recall": results}
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
