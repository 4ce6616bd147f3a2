"""Untrimmed streams spliced from trimmed surveillance clips: real pixels, exact boundaries.

    python -m cmsn_benchmarks.datasets.cctv_streams CLIPS OUTPUT [--train 160] [--validation 12] [--test 24] [--seed 1]
        [--size 160 120]

CLIPS holds clips.csv (clip,label,source). Writes OUTPUT/{train,validation,test}, split by source, each with its
annotations.json and, for learning curves, first-20.json and so on with the first streams only. The boundaries are cuts
between clips; as many cuts are not boundaries.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.progress import track

from cmsn_benchmarks.datasets.cctv_plan import SPLITS, Clip, Planner, Scene, plan_stream, read_clips, split_by_source
from cmsn_runtime.pictures.fitting import FittedFrame, Fitting
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.streams.resampling import Resampler, Tick
from cmsn_runtime.timegrid import TimeGrid
from cmsn_training.rendering.writer import ANNOTATIONS_FILE, encode_video, write_annotations

FPS = Fraction(25)
SIZE = (160, 120)  # width, height in pixels; networks that are trained on larger pictures need 320 x 240
NUMBERS = (20, 40, 80, 160)  # actions of the streams in first-NUMBER.json
_CLIPS_PER_STREAM = (20, 36)  # of about two seconds each


def clip_frames(path: Path, size: tuple[int, int] = SIZE) -> list[npt.NDArray[np.uint8]]:
    """All frames of a clip at 25 per second, uint8 [height, width, 3]. size: (width, height)."""
    shape = (size[1], size[0])
    resampler: Resampler[FittedFrame] = Resampler(TimeGrid(FPS), max_gap=Fraction(10**6))
    fitted = Fitting(Preprocessing(resize=shape, crop=shape))
    with open_source(path) as source:
        items = [item for frame in source for item in resampler.push(fitted(frame))] + resampler.flush()
    return [item.moment.values() for item in items if isinstance(item, Tick)]


def write_stream(clips: Path, path: Path, scenes: list[Scene], size: tuple[int, int]) -> dict[str, Any]:
    """Splice one stream -> its entry of the annotations: segments in seconds, and the clips that it consists of."""
    frames: list[npt.NDArray[np.uint8]] = []
    annotations: list[dict[str, Any]] = []
    used: list[str] = []

    def append(parts: tuple[Clip, ...]) -> None:
        for clip in parts:
            frames.extend(clip_frames(clips / clip.path, size))
            used.append(clip.path)

    for scene in scenes:
        append(scene.before)
        begin = len(frames)
        append(scene.action)
        if scene.action:
            segment = [round(float(frame / FPS), 3) for frame in (begin, len(frames))]
            annotations.append({"label": "fight", "segment": segment})
        append(scene.after)
    encode_video(path, frames, size=size, fps=FPS)
    return {"duration": round(float(len(frames) / FPS), 3), "annotations": annotations, "clips": used}


def splice(
    clips: Path,
    output: Path,
    *,
    counts: dict[str, int],
    seed: int,
    workers: int = 2,
    size: tuple[int, int] = SIZE,
) -> None:
    """Write `counts` streams of each split; the same seed gives the same streams, whatever the size."""
    split = split_by_source(read_clips(clips), seed=seed)
    for name in SPLITS:
        folder = output / name
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng((seed, SPLITS.index(name)))
        planner = Planner(split[name], rng)
        plans = {
            f"{name}-{number:03d}": plan_stream(planner, rng, clips=int(rng.integers(*_CLIPS_PER_STREAM)))
            for number in range(counts[name])
        }
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            jobs = {
                key: pool.submit(write_stream, clips, folder / f"{key}.mp4", scenes, size)
                for key, scenes in plans.items()
            }
            entries = {key: job.result() for key, job in track(list(jobs.items()), f"Splicing {name}")}
        labelled = {key: {"subset": name, **entry} for key, entry in entries.items()}
        write_annotations(folder / ANNOTATIONS_FILE, labelled)
        for number in NUMBERS:
            write_annotations(folder / f"first-{number}.json", first_actions(labelled, number))


def first_actions(entries: dict[str, dict[str, Any]], number: int) -> dict[str, dict[str, Any]]:
    """The first streams that hold at least that many actions together, or all."""
    chosen: dict[str, dict[str, Any]] = {}
    for key in sorted(entries):
        if sum(len(entry["annotations"]) for entry in chosen.values()) >= number:
            break
        chosen[key] = entries[key]
    return chosen


@click.command()
@click.argument("clips", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("output", type=click.Path(path_type=Path, file_okay=False))
@click.option("--train", default=160, show_default=True, type=click.IntRange(0))
@click.option("--validation", default=12, show_default=True, type=click.IntRange(0))
@click.option("--test", default=24, show_default=True, type=click.IntRange(0))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--size", nargs=2, default=SIZE, show_default=True, type=click.IntRange(16), help="Width and height.")
def main(clips: Path, output: Path, train: int, validation: int, test: int, seed: int, size: tuple[int, int]) -> None:
    """Splice the streams of all three splits."""
    counts = {"train": train, "validation": validation, "test": test}
    splice(clips, output, counts=counts, seed=seed, workers=os.cpu_count() or 1, size=size)


if __name__ == "__main__":
    main()
