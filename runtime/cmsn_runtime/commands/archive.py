"""`cmsn archive`: many videos into one folder of results."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmsn_runtime.blas import start_no_threads
from cmsn_runtime.commands.options.backend import BACKEND_NAMES, checked_backend

if TYPE_CHECKING:
    from cmsn_runtime.archive.crews import OpenCrew

_LENGTH = re.compile(r"([0-9.]+)(h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_ON = re.compile(r"local(?::(?P<size>[1-9]\d*))?|ray(?::(?P<address>.+))?")


def _length(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Seconds of a length such as 1h."""
    if value is None:
        return None
    match = _LENGTH.fullmatch(value)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no length such as 1h, 30m or 90s")
    return float(match[1]) * _UNITS[match[2]]


@click.command(short_help="Find actions in many videos, on one machine or many.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", required=True, metavar="OUT", help="Folder or URL of the results.")
@click.option("--bundle", metavar="NAME|DIR", default="demo", show_default=True, help="The model.")
@click.option("--backend", default="auto", show_default=True, metavar=BACKEND_NAMES, callback=checked_backend)
@click.option("--on", "where", default="local", show_default=True, metavar="local[:N]|ray[:ADDRESS]", help="Workers.")
@click.option("--workers", type=click.IntRange(1), help="Their number on Ray; by default as many as there is room for.")
@click.option("--gpus-per-worker", "gpus", type=click.FloatRange(0), default=0.0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Per worker.")
@click.option("--shard", metavar="I/N", help="Only this part, from 0; by default Slurm's or Kubernetes's.")
@click.option("--join", is_flag=True, help="Others work on the same OUT: videos are claimed one by one.")
@click.option("--again", is_flag=True, help="Also try videos that were set aside.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the bundle, as in cmsn run.")
@click.option("--site", type=click.Path(path_type=Path), metavar="FILE.toml", help="A file of such settings.")
@click.option("--split", callback=_length, metavar="1h|30m|90s", help="Longer videos in parts, exactly.")
@click.option("--hop-steps", type=click.IntRange(1), default=1, show_default=True)
def archive(
    sources: tuple[str, ...],
    output: str,
    bundle: str,
    backend: str,
    where: str,
    workers: int | None,
    gpus: float,
    threads: int,
    shard: str | None,
    join: bool,
    again: bool,
    settings: tuple[str, ...],
    site: Path | None,
    split: float | None,
    hop_steps: int,
) -> None:
    """Find actions in every video of each SOURCE: a file, a folder, a glob, @LIST (a text file with one per line), or a
    URL such as s3://bucket/folder.

    OUT gets one file per video, results/KEY.json, whole or not at all; KEY is the video's content (of a URL its size
    and ETag), the bundle and the settings. The same command again computes only what is missing. A video that cannot be
    read, or whose worker dies with it three times, is set aside in failed/ with the reason. `cmsn merge OUT` makes one
    table of all. Exit status 1 where videos were set aside.
    """
    start_no_threads()
    from cmsn_runtime.archive.archiving import plan_archive, run_archive
    from cmsn_runtime.archive.listing import addresses_of
    from cmsn_runtime.archive.reporting import plan_line, reporter
    from cmsn_runtime.archive.shards import shard_from
    from cmsn_runtime.archive.stores import open_store
    from cmsn_runtime.archive.working import WorkSettings
    from cmsn_runtime.reporting import report, say
    from cmsn_runtime.site import site_settings

    wanted = WorkSettings(
        place=output,
        bundle=bundle,
        backend=backend,
        threads=threads,
        settings=site_settings(site, settings),
        hop_steps=hop_steps,
    )
    open_crew = _crew(where, workers, gpus)
    mine = shard_from(shard).of(addresses_of(sources))
    plan = plan_archive(mine, open_store(output), wanted, again=again)
    say(plan_line(plan))
    for one in plan.aside:
        report(f"{one.video.address}: set aside: {one.reason}", kind="warning")
    with reporter(plan) as tell:
        done = run_archive(plan, wanted, open_crew, join=join, split_seconds=split, tell=tell)
    for line in done.undivided:
        report(f"{line}; computed whole", kind="warning")
    for one in done.aside:
        report(f"{one.video.address}: set aside: {one.reason}")
    if plan.aside or done.aside:
        raise click.exceptions.Exit(1)


def _crew(where: str, workers: int | None, gpus: float) -> OpenCrew:
    """What opens the workers that --on names."""
    match = _ON.fullmatch(where)
    if match is None:
        raise click.BadParameter(f"{where!r} is not local, local:N, ray or ray:ADDRESS", param_hint="--on")
    if where.startswith("local"):
        from cmsn_runtime.archive.local_crew import LocalCrew

        size = int(match["size"] or os.cpu_count() or 1)
        return lambda settings: LocalCrew(settings, size)
    from cmsn_runtime.archive.ray_crew import RayCrew

    return lambda settings: RayCrew(settings, address=match["address"], size=workers, gpus=gpus)
