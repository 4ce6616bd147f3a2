"""`cmsn build`: TensorRT engines for a bundle, on the device that will run it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cmsn_export.building import BuildPlan

_FOLDER = click.Path(path_type=Path)


@click.command(short_help="Build TensorRT engines for a bundle, on the device.")
@click.argument("bundle", metavar="[NAME.cmsn]", required=False, type=_FOLDER)
@click.option("--engines", metavar="DIR", type=_FOLDER, help="Folder for them; the user's cache by default.")
@click.option(
    "--cameras",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Streams per batch, at most; `cmsn run` is one.",
)
@click.option("--chunk-frames", type=click.IntRange(1), help="Frames of a stream at once; one step by default.")
@click.option("--precision", metavar="NAME", help="One of the bundle's, such as fp32; by default fp16, otherwise fp32.")
@click.option(
    "--workspace", metavar="GIB", type=click.FloatRange(0, min_open=True), help="Memory for kernels, at most."
)
@click.option("--level", type=click.IntRange(0, 5), help="Length of the search: 0 fastest build, 5 fastest engine.")
@click.option("--version-compatible", is_flag=True, help="For later TensorRT versions; see `cmsn run`.")
@click.option("--timing-cache", metavar="FILE", type=_FOLDER, help="Measured kernels; by default beside the engines.")
@click.option("--dry-run", is_flag=True, help="Only parse the graphs and list their layers and precisions.")
@click.option("--force", is_flag=True, help="Also build engines that are up to date.")
def build(
    bundle: Path | None,
    engines: Path | None,
    cameras: int,
    chunk_frames: int | None,
    precision: str | None,
    workspace: float | None,
    level: int | None,
    version_compatible: bool,
    timing_cache: Path | None,
    dry_run: bool,
    force: bool,
) -> None:
    """Build TensorRT engines from a bundle's graphs; `cmsn run` uses them from then on.

    Engines run only on the kind of GPU and the version of TensorRT they were built with, so they are built on the
    device itself. They go to the user's cache, by the hashes of the graphs (CMSN_CACHE_DIR names another folder).
    Engines that are up to date stay; everything an engine depends on is in the JSON file beside it.
    """
    from cmsn_export.building import BuildPlan
    from cmsn_export.engine_building import BuilderSettings
    from cmsn_runtime.backends.shapes import EngineSizes
    from cmsn_runtime.backends.tensorrt.library import load_tensorrt
    from cmsn_runtime.bundle_files import locate_bundle

    plan = BuildPlan(
        bundle=locate_bundle(bundle),
        engines=engines,
        sizes=EngineSizes(cameras=cameras, chunk_frames=chunk_frames),
        builder=BuilderSettings(
            workspace_bytes=None if workspace is None else int(workspace * 2**30),
            level=level,
            version_compatible=version_compatible,
            timing_cache=timing_cache,
        ),
        precision=precision,
    )
    if dry_run:
        # tensorrt-rtx has the same parser, which needs neither driver nor GPU.
        _list_layers(load_tensorrt(("tensorrt", "tensorrt_rtx")), plan)
    else:
        _build(load_tensorrt(("tensorrt",)), plan, force=force)


def _build(trt: Any, plan: BuildPlan, *, force: bool) -> None:
    from cmsn_export.building import build_engines, placed
    from cmsn_export.engine_progress import BuildProgress
    from cmsn_runtime.reporting import say

    named = "" if plan.engines is None else f" --engines {plan.engines}"
    plan = placed(plan)
    with BuildProgress() as progress:
        for outcome in build_engines(trt, plan, force=force, progress=progress):
            done = "built" if outcome.built else "kept"
            say(f"{outcome.graph}: {done} ({outcome.reason}), {outcome.precision.upper()}, {outcome.megabytes:.1f} MB")
    say(f"{plan.engines}: ready for `cmsn run{named}`")


def _list_layers(trt: Any, plan: BuildPlan) -> None:
    from rich.table import Table

    from cmsn_export.building import inspect_graphs
    from cmsn_runtime.tables import cell, print_table

    for name, precision, parsed in inspect_graphs(trt, plan):
        table = Table(
            title=f"{name}, {precision.upper()}: {len(parsed.layers)} layers by {trt.__name__} {trt.__version__}"
        )
        for column in ("kind", "precision", "layers"):
            table.add_column(column)
        for row in parsed.listed():
            table.add_row(*map(cell, row))
        print_table(table)
