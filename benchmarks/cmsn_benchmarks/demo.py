"""`make demo`: renders a clip with known actions, runs `cmsn run` on it, shows the results beside the truth.

python -m cmsn_benchmarks.demo [FOLDER] [--seed N] [--seconds S]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from cmsn_runtime.annotations import Annotation, read_annotations
from cmsn_training.evaluation import Spans, tiou_matrix
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import ANNOTATIONS_FILE, render_streams


def rendered_clip(folder: Path, settings: RenderSettings) -> Path:
    """The clip of these settings, rendered unless it exists from an earlier run."""
    clip = folder / f"render-{settings.seed}-0000.mp4"
    truth = folder / ANNOTATIONS_FILE
    if not (clip.is_file() and truth.is_file() and clip.stem in read_annotations(truth)):
        render_streams(folder, settings, streams=1)
    return clip


def comparison(truth: list[Annotation], proposals: Spans, scores: list[float]) -> Table:
    """Each true action beside the best-ranked proposal that matches it at a tIoU of 0.5, and other high-ranked ones."""
    table = Table(title="Truth and proposals")
    for column in ("action", "true start", "true end", "rank", "start", "end", "score", "tIoU"):
        table.add_column(column, justify="left" if column == "action" else "right")
    tious = tiou_matrix(proposals, np.array([(a.start, a.end) for a in truth]).reshape(-1, 2))
    for number, action in enumerate(truth):
        row = [action.label, f"{action.start:.2f} s", f"{action.end:.2f} s"]
        met = np.flatnonzero(tious[:, number] >= 0.5)
        if len(met):
            rank = int(met[0])
            start, end = proposals[rank]
            row += [
                str(rank + 1),
                f"{start:.2f} s",
                f"{end:.2f} s",
                f"{scores[rank]:.2f}",
                f"{tious[rank, number]:.2f}",
            ]
        else:
            row += ["missed"]
        table.add_row(*row)
    return table


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("demo"))
@click.option("--seed", default=42, show_default=True, type=click.IntRange(0))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(10))
def main(folder: Path, seed: int, seconds: float) -> None:
    """Render a clip, run the demo bundle on it, compare with the truth; all files are kept in FOLDER."""
    clip = rendered_clip(folder, RenderSettings(seed=seed, seconds=seconds))
    truth, results, timeline = folder / ANNOTATIONS_FILE, folder / "results.json", folder / "timeline.png"
    command = [sys.executable, "-m", "cmsn_runtime", "run", str(clip), "--truth", str(truth)]
    command += ["--results", str(results), "--timeline", str(timeline), "--json", str(folder / "events.jsonl")]
    click.echo(f"$ cmsn {' '.join(command[3:])}")
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        raise SystemExit(finished.returncode)
    found = json.loads(results.read_text(encoding="utf-8"))["results"][clip.stem]
    proposals = np.array([item["segment"] for item in found]).reshape(-1, 2)
    annotations = list(read_annotations(truth)[clip.stem].annotations)
    Console().print(comparison(annotations, proposals, [item["score"] for item in found]))
    click.echo(f"Events in order: {folder / 'events.jsonl'}\nPicture: {timeline}")


if __name__ == "__main__":
    main()
