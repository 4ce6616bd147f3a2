"""`cmsn merge`: the results of an archive as one table, or for annotation tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cmsn_runtime.archive.merging.merging import Format


@click.command(short_help="Merge the results of an archive.")
@click.argument("source", metavar="OUT")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["parquet", "activitynet", "label-studio", "fiftyone", "elan", "via"]),
    default="parquet",
    show_default=True,
)
@click.option("-o", "--output", "target", required=True, type=click.Path(path_type=Path), help="File, or folder.")
@click.option("--min-score", "least", default=0.0, show_default=True, type=click.FloatRange(0, 1))
def merge(source: str, kind: Format, target: Path, least: float) -> None:
    """Merge every result of OUT, the folder or URL that `cmsn archive` wrote.

    parquet: a folder with proposals.parquet and videos.parquet. activitynet: JSON for evaluators. label-studio,
    fiftyone, via: JSON; elan: a folder with one .eaf per video; these have only the first rank of each action, for
    people to correct.
    """
    from cmsn_runtime.archive.merging.merging import merge as run_merge
    from cmsn_runtime.archive.stores import open_store
    from cmsn_runtime.reporting import say

    merged = run_merge(open_store(source), kind, target, least=least)
    say(f"{target}: {merged.videos} videos, {merged.proposals} proposals")
