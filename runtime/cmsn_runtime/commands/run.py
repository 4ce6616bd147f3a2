"""`cmsn run`: from videos and cameras to ranked proposals."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from cmsn_runtime.commands.options.model import ModelChoice, model_options
from cmsn_runtime.commands.options.outputs import output_options
from cmsn_runtime.commands.options.sources import SourceChoice, source_options
from cmsn_runtime.commands.options.truth import TruthChoice, truth_options
from cmsn_runtime.sinks.outputs import Outputs

if TYPE_CHECKING:
    from cmsn_runtime.bundle import Bundle
    from cmsn_runtime.sinks.base import Sink


@click.command(short_help="Find actions in videos and cameras.")
@source_options
@model_options
@truth_options
@output_options
def run(sources: SourceChoice, model: ModelChoice, truth: TruthChoice, outputs: Outputs) -> None:
    """Find actions in each SOURCE: a video file, a stream's URL, or a camera such as /dev/video0.

    Where the bundle takes feature rows, a SOURCE is a file of them: .npy, .txt, .csv, or FILE.h5::DATASET.

    On a terminal this shows news, progress and a table; otherwise it writes JSON lines to stdout, each event as it
    happens. Several sources run one after the other; one that breaks does not stop the rest, what was found in it
    until then is kept, and the exit status is 1. Ctrl-C ends with everything found so far, and status 130.
    """
    from cmsn_runtime.sinks.opening import open_sinks

    outputs.require_names(sources.addresses)
    annotations = truth.read(sources.addresses)
    with ExitStack() as stack:
        bundle = stack.enter_context(model.open())
        sinks = open_sinks(
            outputs,
            stack,
            step_seconds=bundle.grid.step_seconds,
            one_each=len(sources.addresses) > 1,
            truth=annotations,
        )
        whole = [_run_one(bundle, address, sources, model, sinks) for address in sources.addresses]
    if not all(whole):
        raise click.exceptions.Exit(1)


def _run_one(bundle: Bundle, address: str, sources: SourceChoice, model: ModelChoice, sinks: Sequence[Sink]) -> bool:
    """Run one source; where it cannot be opened or breaks, say so in one line and return false."""
    from cmsn_runtime.errors import DecodeError, SourceError
    from cmsn_runtime.reporting import report
    from cmsn_runtime.running import run_source

    try:
        if bundle.manifest.features is not None:
            with sources.open_features(address, rate=bundle.grid.fps, width=bundle.manifest.features.width) as rows:
                run_source(model.feature_stream(bundle), rows, sinks)
        else:
            with sources.open_video(address) as frames:
                run_source(model.stream(bundle), frames, sinks)
    except DecodeError as error:
        report(f"{error} (the proposals up to there are kept)")
        return False
    except SourceError as error:
        report(error)
        return False
    return True
