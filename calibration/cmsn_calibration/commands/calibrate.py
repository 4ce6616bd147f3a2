"""`cmsn calibrate`: adds an INT8 variant to a bundle, and says what it costs."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command(short_help="Add an INT8 variant to a bundle, and measure what it costs.")
@click.argument("bundle", metavar="NAME.cmsn", type=_PATH)
@click.option("--videos", required=True, metavar="DIR", type=_PATH, help="Videos as the cameras record them.")
@click.option("--test-videos", metavar="DIR", type=_PATH, help="Others, to compare on; by default the same.")
@click.option(
    "--annotations",
    metavar="JSON",
    type=_PATH,
    multiple=True,
    help="Labels of --videos or --test-videos, in ActivityNet's format: for AR. May be repeated.",
)
@click.option("-o", "--output", required=True, metavar="OUT.cmsn", type=_PATH, help="The bundle with the variant.")
@click.option("--force", is_flag=True, help="Replace a bundle of that name.")
@click.option("--stretches", default=64, show_default=True, type=click.IntRange(1), help="How many are run.")
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(0.5, 600), help="Length of a stretch.")
@click.option("--seed", default=0, show_default=True, help="Of the choice of stretches.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(["min-max", "percentile", "mse", "entropy"]),
    help="How a range is found; may be repeated. By default all, and the best for each layer.",
)
@click.option(
    "--max-ar-drop",
    "most_drop",
    metavar="POINTS",
    type=click.FloatRange(0, 100),
    help="The fastest mix of INT8 and float layers whose AR@10 loses no more than this; needs --annotations.",
)
@click.option(
    "--compare", default=20, show_default=True, type=click.IntRange(1), help="Videos that are compared, at most."
)
@click.option(
    "--drift",
    "drift_minutes",
    metavar="MINUTES",
    type=click.FloatRange(2, 24 * 60),
    help="Also compare the features over a stream of this length: whether INT8 drifts away.",
)
@click.option("--sensitivity", is_flag=True, help="Also measure stages and AR with each layer alone in INT8.")
@click.option("--report", metavar="DIR", type=_PATH, help="Write report.md, report.json and pictures here.")
def calibrate(
    bundle: Path,
    videos: Path,
    test_videos: Path | None,
    annotations: tuple[Path, ...],
    output: Path,
    force: bool,
    stretches: int,
    seconds: float,
    seed: int,
    methods: tuple[str, ...],
    most_drop: float | None,
    compare: int,
    drift_minutes: float | None,
    sensitivity: bool,
    report: Path | None,
) -> None:
    """Write OUT.cmsn: NAME.cmsn and an INT8 variant of its extractor, for `--backend openvino-int8`.

    Stretches of the videos are chosen by motion and light and run through the extractor; from what its layers read come
    the ranges of INT8, for each layer by the method that keeps the features closest to FP32. Then whole videos are run
    in FP32 and in INT8: those with labels first. The figures go into the bundle; see `cmsn inspect`.
    """
    from cmsn_runtime.errors import MissingExtraError

    try:
        __import__("onnx")
    except ImportError as error:
        raise MissingExtraError("onnx", "export", "calibrating") from error
    from cmsn_calibration.calibrating import CalibrationSettings
    from cmsn_calibration.making import Job, make
    from cmsn_calibration.ranges import METHODS
    from cmsn_calibration.report_files import write_report
    from cmsn_export.bundle_folder import require_place
    from cmsn_runtime.bundle_files import locate_bundle
    from cmsn_runtime.reporting import say

    if most_drop is not None and not annotations:
        raise click.UsageError("--max-ar-drop needs --annotations: without labels there is no recall")
    require_place(output, overwrite=force)
    job = Job(
        bundle=locate_bundle(bundle),
        videos=videos,
        test_videos=test_videos or videos,
        annotations=annotations,
        output=output,
        settings=CalibrationSettings(
            stretches=stretches, seconds=seconds, seed=seed, methods=methods or tuple(METHODS)
        ),
        most_drop=most_drop,
        compared=compare,
        drift_minutes=drift_minutes,
        sensitivity=sensitivity,
    )
    found = make(job)
    for line in found.lines():
        say(line)
    say(f"{output}: written; run it with --backend openvino-int8")
    if report is not None:
        write_report(found, report)
