"""`cmsn run`: from videos and cameras to ranked proposals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cmsn_runtime.annotations import VideoAnnotations
    from cmsn_runtime.backends.opening import BackendKind
    from cmsn_runtime.bundle import Bundle
    from cmsn_runtime.sinks.base import EventChoice, Sink

_OUTPUT = click.Path(path_type=Path)


@click.command(short_help="Find actions in videos and cameras.")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--bundle",
    metavar="NAME.cmsn",
    type=_OUTPUT,
    help="The model: a folder, or `demo` or `cctv`, which come with cmsn.",
)
@click.option("--json", "json_path", metavar="PATH|-", type=_OUTPUT, help="JSON lines, to a file or stdout.")
@click.option("--csv", "csv_path", metavar="PATH", type=_OUTPUT, help="Final proposals as CSV.")
@click.option("--results", metavar="PATH", type=_OUTPUT, help="Final proposals in ActivityNet's results format.")
@click.option("--timeline", metavar="PNG", type=_OUTPUT, help="A picture; PNG-stem-SOURCE.png each of several sources.")
@click.option("--truth", metavar="JSON", type=_OUTPUT, help="True actions to compare with, in ActivityNet's format.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="Leave out proposals that score below.")
@click.option(
    "--events",
    type=click.Choice(["all", "final"]),
    default="all",
    show_default=True,
    help="`final` leaves out what may still change.",
)
@click.option(
    "--backend",
    type=click.Choice(["auto", "tensorrt", "ort-tensorrt", "ort-cuda", "onnxruntime"]),
    default="auto",
    show_default=True,
    help="What runs the networks; auto: engines of `cmsn build`, else ONNX Runtime on the GPU, else on the CPU.",
)
@click.option("--engines", metavar="DIR", type=_OUTPUT, help="Where the TensorRT engines are, if not in the bundle.")
@click.option(
    "--allow-engine-code", is_flag=True, help="Load version compatible engines, which bring code of their own."
)
@click.option("--chunk-frames", type=click.IntRange(1), help="Frames run at once: more is faster, and later.")
@click.option(
    "--hop-steps",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Look again every so many steps; half the window is the paper's schedule.",
)
@click.option("--quiet", is_flag=True, help="No table, bar or default JSON; files that are asked for, and errors.")
def run(
    sources: tuple[str, ...],
    bundle: Path | None,
    json_path: Path | None,
    csv_path: Path | None,
    results: Path | None,
    timeline: Path | None,
    truth: Path | None,
    min_score: float | None,
    events: EventChoice,
    backend: BackendKind,
    engines: Path | None,
    allow_engine_code: bool,
    chunk_frames: int | None,
    hop_steps: int,
    quiet: bool,
) -> None:
    """Find actions in each SOURCE: a video file, a stream's URL, or a camera such as /dev/video0.

    Where the bundle takes feature rows, a SOURCE is a file of them: .npy, .txt, .csv, or FILE.h5::DATASET.

    On a terminal this shows news, progress and a table; otherwise it writes JSON lines to stdout, each event as it
    happens. Several sources run one after the other; one that breaks does not stop the rest, what was found in it
    until then is kept, and the exit status is 1. Ctrl-C ends with everything found so far, and status 130.
    """
    from cmsn_runtime.sinks.opening import Outputs, open_sinks

    if results is not None or timeline is not None:
        _require_different_names(sources)
    annotations = None if truth is None else _read_truth(truth, sources)
    outputs = Outputs(json_path, csv_path, results, timeline, events, quiet)
    with ExitStack() as stack:
        opened = stack.enter_context(_open(bundle, backend, engines, code=allow_engine_code))
        sinks = open_sinks(
            outputs,
            stack,
            step_seconds=opened.grid.step_seconds,
            one_each=len(sources) > 1,
            truth=annotations,
        )
        run_one = partial(_run_one, opened, sinks=sinks, chunk=chunk_frames, hop=hop_steps, min_score=min_score)
        broken = [url for url in sources if not run_one(url)]
    if broken:
        raise click.exceptions.Exit(1)


def _open(bundle: Path | None, backend: BackendKind, engines: Path | None, *, code: bool) -> Bundle:
    """Open the bundle; that another backend took over is said in one line."""
    import warnings

    from cmsn_runtime.bundle import open_bundle
    from cmsn_runtime.cli import report
    from cmsn_runtime.errors import BackendWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BackendWarning)
        opened = open_bundle(bundle, backend=backend, engines=engines, engine_code=code)
    for warning in caught:
        report(warning.message, kind="warning")
    return opened


def _run_one(
    bundle: Bundle, url: str, *, sinks: Sequence[Sink], chunk: int | None, hop: int, min_score: float | None
) -> bool:
    """Run one source; where it cannot be opened or breaks, say so in one line and return false."""
    from cmsn_runtime.cli import report
    from cmsn_runtime.errors import DecodeError, SourceError
    from cmsn_runtime.running import run_source
    from cmsn_runtime.sources.opening import open_source

    try:
        if bundle.manifest.features is not None:
            from cmsn_runtime.sources.features import FeatureSource

            rows = partial(bundle.feature_stream, chunk_rows=chunk, hop_steps=hop, min_score=min_score)
            with FeatureSource(url, rate=bundle.grid.fps, width=bundle.manifest.features.width) as features:
                run_source(rows, features, sinks)
        else:
            frames = partial(bundle.stream, chunk_frames=chunk, hop_steps=hop, min_score=min_score)
            with open_source(url, size=bundle.preprocessing.resize) as source:
                run_source(frames, source, sinks)
    except DecodeError as error:
        report(f"{error} (the proposals up to there are kept)")
        return False
    except SourceError as error:
        report(error)
        return False
    return True


def _read_truth(path: Path, sources: Sequence[str]) -> Mapping[str, VideoAnnotations]:
    """The annotations; a source that is not among them is probably a mistake."""
    from cmsn_runtime.annotations import read_annotations
    from cmsn_runtime.errors import SettingsError
    from cmsn_runtime.names import video_id

    truth = read_annotations(path)
    unknown = [url for url in sources if video_id(url) not in truth]
    if unknown:
        raise SettingsError(
            f"{path}: says nothing of {', '.join(unknown)}; its videos are {', '.join(list(truth)[:5])}"
        )
    return truth


def _require_different_names(sources: Sequence[str]) -> None:
    """Results and pictures are named after sources: two of one name would overwrite each other."""
    from cmsn_runtime.errors import SettingsError
    from cmsn_runtime.names import video_id

    names = [video_id(url) for url in sources]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SettingsError(
            f"several sources are called {', '.join(doubled)}, and --results and --timeline go by that name; "
            "run them one by one"
        )
