"""`cmsn run`: from videos and cameras to ranked proposals."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import click

from cmsn_runtime.blas import start_no_threads
from cmsn_runtime.commands.options.model import ModelChoice, model_options
from cmsn_runtime.commands.options.outputs import output_options
from cmsn_runtime.commands.options.sources import SourceChoice, source_options
from cmsn_runtime.commands.options.truth import TruthChoice, truth_options
from cmsn_runtime.sinks.outputs import Outputs

if TYPE_CHECKING:
    from cmsn_runtime.annotations import VideoAnnotations
    from cmsn_runtime.bundle import Bundle
    from cmsn_runtime.sinks.base import Sink
    from cmsn_runtime.sinks.outlets import Outlets


@click.command(short_help="Find actions in videos and cameras.")
@source_options
@model_options
@truth_options
@output_options
def run(sources: SourceChoice, model: ModelChoice, truth: TruthChoice, outputs: Outputs) -> None:
    """Find actions in each SOURCE: a video file, a stream's URL, a camera such as /dev/video0, a folder or glob of
    pictures, or -, standard input.

    Where the bundle takes feature rows, a SOURCE is a file of them: .npy, .txt, .csv, or FILE.h5::DATASET.

    On a terminal this shows events, progress and a table; otherwise it writes JSON lines to stdout, each event as it
    happens. Files run one after the other, cameras at the same time; a camera that is lost is connected again for as
    long as it takes. A source that breaks or an output that fails does not stop the others, and no result is lost: each
    is reported in one line, and the exit status is 1. Ctrl-C, SIGTERM and SIGHUP keep all results so far, and exit with
    status 130, 143 and 129.
    """
    start_no_threads()
    from cmsn_runtime.commands.cameras import run_cameras, threaded
    from cmsn_runtime.errors import BackendWarning, NoOutputLeftError, SourceWarning
    from cmsn_runtime.identity import new_run
    from cmsn_runtime.reporting import report, reported
    from cmsn_runtime.sinks.kinds import SinkContext
    from cmsn_runtime.sinks.opening import plan_sinks
    from cmsn_runtime.sinks.outlets import Outlets
    from cmsn_runtime.stopping import READER_LEFT, Stopped

    planned = plan_sinks(outputs, sources.addresses, [*model.places(), *truth.places()])
    annotations = truth.read(sources.addresses)
    with reported(BackendWarning, SourceWarning), ExitStack() as stack:
        bundle = stack.enter_context(model.open())
        cameras = sources.are_cameras(features=bundle.takes_features)
        changed = bundle.tuning.values
        context = SinkContext(
            bundle.grid.step_seconds,
            sources.addresses,
            annotations,
            outputs.events,
            changed,
            live=cameras and not sources.live,  # a file that is played has an end
            networks=bundle.networks,
        )
        sinks = [*planned.open(context), *_watches(bundle, annotations)]
        outlets = stack.enter_context(Outlets(threaded(sinks) if cameras else sinks, on_failure=report))
        run_id = new_run()
        try:
            if cameras:
                whole = [run_cameras(bundle, sources.cameras(), model, outlets, run_id)]
            else:
                whole = [_run_one(bundle, address, sources, model, outlets, run_id) for address in sources.addresses]
        except NoOutputLeftError:
            raise click.exceptions.Exit(1 if outlets.failures else READER_LEFT) from None
        except Stopped as stopped:
            stopped.note = stopped.note or "; what was found until then is kept"
            raise
        outlets.close()
    if not all(whole) or outlets.failures:
        raise click.exceptions.Exit(1)


def _run_one(
    bundle: Bundle, address: str, sources: SourceChoice, model: ModelChoice, outlets: Outlets, run_id: str
) -> bool:
    """Run one source; where it cannot be opened or breaks, report this in one line and return false."""
    from cmsn_runtime.commands.cameras import run_cameras
    from cmsn_runtime.errors import CmsnError, DecodeError, SourceError
    from cmsn_runtime.reading import patiently
    from cmsn_runtime.reporting import report
    from cmsn_runtime.running import run_source
    from cmsn_runtime.sources.order import is_found_live

    try:
        if bundle.manifest.features is not None:
            width = bundle.manifest.features.width
            with sources.open_features(address, rate=bundle.grid.fps, width=width) as rows:
                run_source(model.feature_stream(bundle), rows, outlets, run=run_id)
        else:
            with patiently(lambda: sources.open_video(address)) as frames:
                if not is_found_live(address, frames):
                    run_source(model.stream(bundle), frames, outlets, run=run_id)
                    return True
            return run_cameras(bundle, sources.cameras([address], paced=False), model, outlets, run_id)
    except DecodeError as error:
        report(f"{error} (the proposals up to there are kept)")
        return False
    except SourceError as error:
        report(error)
        return False
    except Exception as error:
        if isinstance(error, CmsnError) or os.environ.get("CMSN_TRACEBACK"):
            raise
        report(f"{sources.name_of(address)}: failed ({type(error).__name__}: {error}); what was found in it is kept")
        return False
    return True


def _watches(bundle: Bundle, truth: Mapping[str, VideoAnnotations] | None) -> list[Sink]:
    """The sink that reports a source whose length differs from its truth's."""
    from cmsn_runtime.reporting import report
    from cmsn_runtime.sinks.lengths import LengthSink

    if truth is None:
        return []
    rate = f"this model takes {float(bundle.grid.fps):g} rows per second, are these as many?"
    hint = rate if bundle.takes_features else "are they of another video?"
    return [LengthSink(truth, partial(report, kind="warning"), hint=hint)]
