"""Measures archives: a plain loop against two workers, and a hundred thousand results that need nothing.

    python -m cmsn_benchmarks.archive.costs CLIPS [--clips 120] [--results 100000] [--rounds 3] [--json OUT]

CLIPS is a folder of short videos. The plain loop opens the bundle once in each of two processes, which take every other
clip; it has no results on disk, no keys and no retries. Rounds take turns, and the ratio is the median of theirs.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from cmsn_benchmarks.speed.ablation_memory import resident_megabytes
from cmsn_runtime.archive.archiving import plan_archive, run_archive
from cmsn_runtime.archive.identity import Stamp, key_of
from cmsn_runtime.archive.listing import addresses_of
from cmsn_runtime.archive.local_crew import LocalCrew
from cmsn_runtime.archive.merging.merging import merge
from cmsn_runtime.archive.records import VideoResult, result_bytes
from cmsn_runtime.archive.stores import open_store
from cmsn_runtime.archive.working import WorkSettings, setup_of
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.collecting import collect
from cmsn_runtime.sources.opening import open_source

_WORKERS = 2
_BUNDLE = "cctv"
_BACKEND = "onnxruntime"


def plain(clips: list[str]) -> None:
    """Every clip through the bundle, and nothing else."""
    with open_bundle(_BUNDLE, backend=_BACKEND, threads=1) as bundle:
        for clip in clips:
            with open_source(clip) as source:
                collect(lambda **options: bundle.stream(chunk_frames=48, **options), source)


def plain_workers(clips: list[str]) -> None:
    """The same in two processes."""
    context = get_context("spawn")
    workers = [context.Process(target=plain, args=(clips[index::_WORKERS],)) for index in range(_WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"a worker ended with {worker.exitcode}")


def archived(clips: list[str]) -> None:
    """An archive on two workers, into a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(folder)
        plan = plan_archive(clips, open_store(folder), settings)
        done = run_archive(plan, settings, lambda wanted: LocalCrew(wanted, _WORKERS), join=False, tell=lambda _: None)
        if done.done != len(plan.jobs):
            raise RuntimeError(f"{done.done} of {len(plan.jobs)} are done")


def nothing_to_do(count: int) -> dict[str, Any]:
    """Seconds and memory of planning, and of merging, an archive of empty results."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = _settings(str(folder / "out"))
        setup = setup_of(settings)
        (folder / "videos").mkdir()
        (folder / "out/results").mkdir(parents=True)
        for number in range(count):
            video = folder / f"videos/{number:06d}.mp4"
            video.write_bytes(b"%d" % number)
            found = video.stat()
            stamp = Stamp(str(video), found.st_size, str(found.st_mtime_ns))
            key = key_of(stamp, setup)
            result = VideoResult(key, stamp, _BUNDLE, setup, 0.0, 25.0, "", 0.0, ())
            (folder / f"out/results/{key}.json").write_bytes(result_bytes(result))
        before = resident_megabytes()
        planning, plan = _timed(lambda: plan_archive(addresses_of([name]), open_store(settings.place), settings))
        planned = resident_megabytes()
        merging, merged = _timed(lambda: merge(open_store(settings.place), "parquet", folder / "table"))
        assert (len(plan.jobs), plan.present, merged.videos) == (0, count, count)
        return {
            "results": count,
            "list and skip, seconds": round(planning, 2),
            "merge into Parquet, seconds": round(merging, 2),
            "megabytes before": round(before, 1),
            "after planning": round(planned, 1),
            "after merging": round(resident_megabytes(), 1),
        }


def _settings(place: str) -> WorkSettings:
    return WorkSettings(place=place, bundle=_BUNDLE, backend=_BACKEND, threads=1, settings={})


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


@click.command()
@click.argument("clips", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--clips", "count", default=120, show_default=True, type=click.IntRange(2))
@click.option("--results", default=100_000, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(clips: Path, count: int, results: int, rounds: int, output: Path | None) -> None:
    """Measure both."""
    chosen = [str(path) for path in sorted(clips.rglob("*.*")) if path.suffix in (".mp4", ".avi", ".mpg")][:count]
    turns = [(_timed(lambda: plain_workers(chosen))[0], _timed(lambda: archived(chosen))[0]) for _ in range(rounds)]
    ratios = [archive / loop for loop, archive in turns]
    report = {
        "clips": len(chosen),
        "workers": _WORKERS,
        "plain loop, seconds": [round(loop, 2) for loop, _ in turns],
        "archive, seconds": [round(archive, 2) for _, archive in turns],
        "ratio": {
            "median": round(statistics.median(ratios), 3),
            "least": round(min(ratios), 3),
            "most": round(max(ratios), 3),
        },
        "nothing to do": nothing_to_do(results),
    }
    click.echo(json.dumps(report, indent=1))
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
