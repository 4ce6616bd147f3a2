"""What INT8 costs for the bundles of the wheel, by `cmsn calibrate` itself.

    python -m cmsn_benchmarks.quality.calibration CCTV [--work DIR] [--quick] [--json OUT]

CCTV: the folder of clips that the cctv bundle's data is spliced from (see datasets.cctv_streams). demo is calibrated on
12 rendered streams and judged on the 20 of unseen seeds that its model was judged by; cctv on 24 spliced streams of
the training's cameras, and judged on 24 of unseen ones. Mixes are chosen on the first and judged on the second.
DIR keeps the streams, the bundles and their reports.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from cmsn_benchmarks.datasets.cctv_streams import splice
from cmsn_benchmarks.run_facts import run_facts
from cmsn_calibration.calibrating import CalibrationSettings, videos_in
from cmsn_calibration.comparing import int8_backend, opened_for_certain
from cmsn_calibration.making import Job, make
from cmsn_calibration.report import CalibrationReport
from cmsn_calibration.report_files import write_report
from cmsn_calibration.report_json import as_json
from cmsn_calibration.seeing import see_all
from cmsn_runtime.bundle_files import locate_bundle
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import ANNOTATIONS_FILE, render_streams

_BUDGET = 0.5  # points of AR@10
_LEAST_SCORE = 0.3  # above which the proposals of two libraries are compared
_SAME = 1e-6  # seconds: ends are numbers of steps, in seconds


@dataclass(frozen=True, slots=True)
class Sets:
    """Folders of a bundle's streams, each with its labels."""

    bundle: str
    train: Path
    test: Path


def sets_of(clips: Path, work: Path, *, quick: bool) -> Iterator[Sets]:
    """Both bundles' streams, made where they are not there yet."""
    train, test = (2, 2) if quick else (12, 20)
    for name, streams, seed in (("train", train, 900_001), ("test", test, 700_001)):
        folder = work / "demo" / name
        if not (folder / ANNOTATIONS_FILE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            render_streams(folder, RenderSettings(seconds=60.0, seed=seed), streams=streams)
    yield Sets("demo", work / "demo" / "train", work / "demo" / "test")
    spliced = work / "cctv"
    if not (spliced / "test" / ANNOTATIONS_FILE).is_file():
        count = 2 if quick else 24
        splice(clips, spliced, counts={"train": count, "validation": 0, "test": count}, seed=1)
    yield Sets("cctv", spliced / "train", spliced / "test")


def calibrated(sets: Sets, work: Path, *, quick: bool) -> CalibrationReport:
    """`cmsn calibrate` with all that it can measure."""
    job = Job(
        bundle=locate_bundle(sets.bundle),
        videos=sets.train,
        test_videos=sets.test,
        annotations=[sets.train / ANNOTATIONS_FILE, sets.test / ANNOTATIONS_FILE],
        output=work / f"{sets.bundle}.cmsn",
        settings=CalibrationSettings(stretches=8 if quick else 64),
        most_drop=100.0 if quick else _BUDGET,
        compared=24,
        drift_minutes=4 if quick else 30,
        sensitivity=True,
    )
    return make(job)


def same_proposals(bundle: Path, videos: list[Path]) -> dict[str, object]:
    """The INT8 graph on OpenVINO and on ONNX Runtime: final proposals above a score, and how many are in both."""
    found = []
    for backend in (int8_backend(), "onnxruntime-int8"):
        with opened_for_certain(bundle, backend) as opened:
            seen = see_all(opened, videos)
        found.append(
            {
                (video, round(item.start / _SAME), round(item.end / _SAME)): item.score
                for video, each in seen.items()
                for item in each.reports
                if item.kind == "final" and item.score >= _LEAST_SCORE
            }
        )
    first, second = found
    both = first.keys() & second.keys()
    return {
        "backends": [int8_backend(), "onnxruntime-int8"],
        "proposals": [len(first), len(second)],
        "in_both": len(both),
        "largest_difference_of_scores": round(max((abs(first[key] - second[key]) for key in both), default=0.0), 5),
        "highest_score_in_one_only": round(
            max((each[key] for each in found for key in each.keys() - both), default=0.0), 4
        ),
    }


@click.command()
@click.argument("clips", metavar="CCTV", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--work", type=click.Path(path_type=Path), help="Keep streams, bundles and reports here.")
@click.option("--quick", is_flag=True, help="Few streams and no budget, to try it.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(clips: Path, work: Path | None, quick: bool, output: Path | None) -> None:
    """Calibrate both bundles, write the reports, collect their figures."""
    facts = run_facts()
    with tempfile.TemporaryDirectory() as temporary:
        folder = work or Path(temporary)
        bundles: dict[str, object] = {}
        for sets in sets_of(clips, folder, quick=quick):
            report = calibrated(sets, folder, quick=quick)
            write_report(report, folder / f"{sets.bundle}_report")
            figures = json.loads(as_json(report))
            del figures["stretches"]  # they are in the manifest
            bundle = folder / f"{sets.bundle}.cmsn"
            figures["on_two_libraries"] = same_proposals(bundle, videos_in(sets.test)[:24])
            bundles[sets.bundle] = figures
    text = json.dumps({**facts, "budget": _BUDGET, "bundles": bundles}, indent=1)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
