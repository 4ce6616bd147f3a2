"""`cmsn evaluate`: measures ranked proposals."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

_PATH = click.Path(path_type=Path)


@click.command(short_help="Measure proposals against ground truth.")
@click.argument("results", metavar="RESULTS.json...", nargs=-1, type=_PATH)
@click.option("--truth", required=True, type=_PATH, help="An ActivityNet JSON, or THUMOS14's folder of annotations.")
@click.option("--subset", metavar="NAME", help="One of the truth's; by default those with results.")
@click.option(
    "--an", "numbers", multiple=True, type=click.FloatRange(min=0, min_open=True), help="AN; may be repeated."
)
@click.option("--rates", metavar="CSV", type=_PATH, help="video-name,frame-rate; the thumos protocol counts frames.")
@click.option(
    "--fps", type=click.FloatRange(min=0, min_open=True), default=25.0, show_default=True, help="Without --rates."
)
@click.option(
    "--ambiguous",
    type=click.Choice(["drop", "keep"]),
    default="drop",
    show_default=True,
    help="THUMOS14's Ambiguous segments, in recall; dropping them is the field's convention.",
)
@click.option("--max-per-video", metavar="N", type=click.IntRange(min=1), help="Only the best N of each video.")
@click.option("--pictures", metavar="DIR", type=_PATH, help="Curves as PNGs (Figures 6 to 9).")
@click.option("--events", metavar="JSONL", type=_PATH, help="Events of `cmsn run --json`: recall by delay.")
@click.option("--json", "output", metavar="OUT", type=_PATH, help="All figures, for programs; - is standard output.")
def evaluate(
    results: tuple[Path, ...],
    truth: Path,
    subset: str | None,
    numbers: tuple[float, ...],
    rates: Path | None,
    fps: float,
    ambiguous: Literal["drop", "keep"],
    max_per_video: int | None,
    pictures: Path | None,
    events: Path | None,
    output: Path | None,
) -> None:
    """Average recall of each RESULTS.json (ActivityNet's format, as `cmsn run --results` writes it).

    Two protocols side by side: `thumos` (DAPs, TURN: 11 thresholds to 1.0, both end frames counted) and `activitynet`
    (10 thresholds to 0.95, 100 proposals per video on average at most). A figure outside the curve of a list is left
    out. Where the results have labels, mAP as THUMOS14's own evaluation computes it.

    NAME, v_NAME and NAME.mp4 are the same video. Videos that are not in the truth, those of the truth without
    results, and invalid parts of the files are counted on stderr.
    """
    import json

    from cmsn_runtime.files import STDOUT, write_whole
    from cmsn_runtime.reporting import report as report_line
    from cmsn_runtime.sinks.places import Place, require_separate
    from cmsn_training.evaluation.events import read_events
    from cmsn_training.evaluation.meeting import read_truth_for
    from cmsn_training.evaluation.report import DEFAULT_NUMBERS, EventsFile, as_json, delays_of, measure
    from cmsn_training.evaluation.results_file import read_all
    from cmsn_training.evaluation.tables import print_tables, tables

    def note(line: str) -> None:
        report_line(line, kind="warning")

    if not results and events is None:
        raise click.UsageError("nothing to evaluate: give RESULTS.json files, --events, or both")
    inputs = {"RESULTS": results, "--truth": (truth,), "--rates": (rates,), "--events": (events,)}
    read = [Place(purpose, path) for purpose, paths in inputs.items() for path in paths if path is not None]
    require_separate([] if output is None else [Place("--json", output)], read)
    wanted = numbers or DEFAULT_NUMBERS
    files = read_all(results, most=max_per_video, note=note)
    stream = None if events is None else EventsFile(events, read_events(events))
    named = [*(file.results.proposals for file in files.values()), *([] if stream is None else [stream.records])]
    against = read_truth_for(truth, named, ambiguous=ambiguous, subset=subset, note=note)
    report = measure(files, against, rates=rates, fps=fps, note=note)
    delays = None if stream is None else delays_of(stream, against, wanted, note=note)
    if output != STDOUT:
        print_tables(tables(report, delays, wanted))
    if pictures is not None and results:
        report.draw(pictures)
    if output is not None:
        write_whole(output, (json.dumps(as_json(report, wanted, delays), indent=1) + "\n").encode())
