"""`cmsn replay`: proves a clip's event by computing it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmsn_runtime.commands.options.backend import BACKEND_NAMES, checked_backend

if TYPE_CHECKING:
    from cmsn_runtime.clips.comparing import Comparison

_PATH = click.Path(path_type=Path)


@click.command(short_help="Compute the events of saved clips again.")
@click.argument("clips", metavar="CLIP...", nargs=-1, required=True, type=_PATH)
@click.option("--bundle", metavar="NAME.cmsn", type=_PATH, help="Another model than the recorded one, to compare.")
@click.option(
    "--backend",
    metavar=BACKEND_NAMES,
    callback=checked_backend,
    default="auto",
    show_default=True,
    help="What runs the networks; only the recorded one gives the same digits for certain.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per clip on standard output.")
def replay(clips: tuple[Path, ...], bundle: Path | None, backend: str, as_json: bool) -> None:
    """Decode each CLIP that the output `clips` has saved, run the recorded model on it from the recorded phase with the
    recorded settings, and compare start, end and score with the event in the sidecar beside it.

    The exit status is 0 only where every event is reproduced to the digit.
    """
    from cmsn_runtime.clips.comparing import Comparer
    from cmsn_runtime.clips.replaying import read_clip
    from cmsn_runtime.errors import BackendWarning, BundleError, SourceError
    from cmsn_runtime.reporting import report, reported, say

    equal = True
    with reported(BackendWarning), Comparer(bundle=bundle, backend=backend) as comparer:
        for path in clips:
            try:
                found = comparer.compare(read_clip(path))
            except (SourceError, BundleError) as error:
                report(error)
                equal = False
                continue
            say(json.dumps(found.fields()) if as_json else _line(path, found))
            equal &= found.equal
    if not equal:
        raise click.exceptions.Exit(1)


def _line(path: Path, found: Comparison) -> str:
    """One clip in one line, then what a reader should know about it."""
    recorded, reproduced = found.recorded, found.reproduced
    if reproduced is None:
        result = "no final event was reproduced"
    else:
        names = ("start", "end", "score")
        pairs = [(name, float(getattr(recorded, name)), float(getattr(reproduced, name))) for name in names]
        shown = [
            f"{name} {ours:.9g}" if ours == theirs else f"{name} {ours:.17g} recorded, {theirs:.17g} reproduced"
            for name, ours, theirs in pairs
        ]
        result = ("equal: " if found.equal else "differs: ") + ", ".join(shown)
    return "\n  ".join([f"{path}: {result}", *found.notes])
