"""How well frozen features tell a fight from calm, clip by clip, on sources that were not learnt from.

    python -m cmsn_benchmarks.quality.clip_discrimination CLIPS NETWORK.onnx [--json OUT]

CLIPS holds clips.csv (clip,label,source). Every fourth frame's features are averaged over a clip; a ridge classifier on
standardised values is fitted on seven eighths of the sources and asked about the others. Nothing is chosen on the
answers: the area under the ROC curve is given for three strengths of the ridge.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]
from rich.progress import track

from cmsn_benchmarks.datasets.cctv_plan import Clip, read_clips
from cmsn_benchmarks.datasets.cctv_streams import clip_frames

Floats = npt.NDArray[np.float64]

KINDS = ("pictures", "fast", "slow")  # differences of neighbouring frames, and of frames four apart
RIDGES = (0.1, 1.0, 10.0)
_SIDE, _FOLDS, _GAIN = 224, 8, 4.0


def clip_features(frames: npt.NDArray[np.uint8], session: Any) -> dict[str, Floats]:
    """Mean features of a clip for each kind, and its motion energy."""
    pixels = frames.astype(np.float32)
    at = np.arange(2, len(pixels), 4)
    slow = pixels[np.minimum(at + 2, len(pixels) - 1)] - pixels[np.maximum(at - 2, 0)]
    given = {
        "pictures": (pixels[at] - 127) / 128,
        "fast": (pixels[at] - pixels[np.maximum(at - 1, 0)]) * _GAIN / 128,
        "slow": slow * _GAIN / 128,
    }
    name = session.get_inputs()[0].name
    found = {
        kind: session.run(None, {name: np.ascontiguousarray(value.transpose(0, 3, 1, 2))})[0].mean(axis=0)
        for kind, value in given.items()
    }
    return {**found, "motion energy": np.abs(slow).mean(keepdims=True).reshape(1)}


def scores_by_source(features: Floats, clips: list[Clip], ridge: float) -> Floats:
    """A score of each clip, by a classifier that has not seen its source."""
    sources = sorted({clip.source for clip in clips})
    order = np.random.default_rng(0).permutation(len(sources))
    fold = {sources[index]: number % _FOLDS for number, index in enumerate(order)}
    place = np.array([fold[clip.source] for clip in clips])
    fight = np.array([1.0 if clip.fight else -1.0 for clip in clips])
    scores = np.zeros(len(clips))
    for number in range(_FOLDS):
        learnt = place != number
        mean, deviation = features[learnt].mean(axis=0), features[learnt].std(axis=0) + 1e-3
        rows = (features - mean) / deviation / np.sqrt(features.shape[1])
        target = fight[learnt] - fight[learnt].mean()
        weights = np.linalg.solve(rows[learnt] @ rows[learnt].T + ridge * np.eye(len(target)), target)
        scores[~learnt] = rows[~learnt] @ (rows[learnt].T @ weights)
    return scores


def area_under_curve(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(len(scores))
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count - 1) / 2) / (count * (len(scores) - count)))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("network", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(folder: Path, network: Path, output: Path | None) -> None:
    """Measure each kind alone and together."""
    clips = read_clips(folder)
    session = onnxruntime.InferenceSession(str(network))
    found = [
        clip_features(np.stack(clip_frames(folder / clip.path, (_SIDE, _SIDE))), session)
        for clip in track(clips, "Features of clips")
    ]
    fight = np.array([clip.fight for clip in clips])
    report = {}
    for kinds in (("motion energy",), *((kind,) for kind in KINDS), ("fast", "slow"), KINDS):
        features = np.array([np.concatenate([each[kind] for kind in kinds]) for each in found])
        areas = [round(area_under_curve(scores_by_source(features, clips, ridge), fight), 3) for ridge in RIDGES]
        report[" + ".join(kinds)] = areas
        click.echo(f"{' + '.join(kinds)}: {areas}")
    if output is not None:
        content = {"clips": len(clips), "ridges": RIDGES, "area under the ROC curve": report}
        output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
