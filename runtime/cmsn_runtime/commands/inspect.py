"""`cmsn inspect`: shows the contents of a bundle."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cmsn_runtime.manifest.contents import Manifest, Parity, Variant
    from cmsn_runtime.manifest.quality import Quality
    from cmsn_runtime.site import Tuning

_PATH = click.Path(path_type=Path)


@click.command(short_help="Show the contents of a bundle.")
@click.argument("bundle", metavar="[NAME.cmsn]", required=False, type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest unchanged.")
@click.option("--site", metavar="FILE.toml", type=_PATH, help="Apply a site's settings, as in `cmsn run`.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Apply a setting, as in `cmsn run`.")
def inspect(bundle: Path | None, as_json: bool, site: Path | None, settings: tuple[str, ...]) -> None:
    """Check a bundle's files and show its contents; without a name, the one that comes with cmsn."""
    from cmsn_runtime.bundle_files import locate_bundle, read_graph, read_manifest
    from cmsn_runtime.site import site_settings, tuned

    if as_json and (site is not None or settings):
        raise click.UsageError("--json prints the manifest unchanged; omit --site and --set")
    folder = locate_bundle(bundle)
    manifest = read_manifest(folder)
    tuning = tuned(manifest.proposals, manifest.tracking, site_settings(site, settings))
    for graph in manifest.graph_files:
        read_graph(folder, graph)
    if as_json:
        _print_manifest(folder)
    else:
        _print_facts(folder.name, manifest, tuning)


def _print_manifest(folder: Path) -> None:
    """The bytes of the file; on a terminal, control characters are escaped."""
    from cmsn_runtime.bundle_files import read_manifest_file
    from cmsn_runtime.text import printable

    raw = read_manifest_file(folder)
    if sys.stdout is not None and sys.stdout.isatty():
        click.echo("\n".join(map(printable, raw.decode("utf-8").split("\n"))), nl=False)
    else:
        click.echo(raw, nl=False)


def _print_facts(name: str, manifest: Manifest, tuning: Tuning) -> None:
    from rich.table import Table

    from cmsn_runtime.tables import cell, print_table

    title = cell(f"{name}: all files are unchanged since the export", style="italic")
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for fact, value in _facts(manifest, tuning):
        table.add_row(cell(fact), cell(value))
    print_table(table)


def _facts(manifest: Manifest, tuning: Tuning) -> Iterator[tuple[str, str]]:
    from cmsn_runtime.manifest.contents import FULL_PRECISION

    network, grid = manifest.network, manifest.grid
    yield "name", f"{manifest.name}, exported {manifest.created}"
    yield "network", f"width {network.width:g}, {network.feature_channels} channels per step"
    yield "time", f"{grid.fps} fps, a step of {grid.stride} frames, a window of {grid.window} steps"
    yield "delay", f"{network.delay_steps} steps; a gap over {network.receptive_field_frames} frames resets"
    yield "input", _input(manifest)
    yield "state", _states(manifest)
    for precision in sorted(manifest.variants, key=lambda name: (name != FULL_PRECISION, name)):
        yield from _variant(precision, manifest.variant(precision))
    yield "proposals", _listing(asdict(tuning.proposals))
    yield "tracking", _listing(asdict(tuning.tracking))
    if tuning.changed:
        yield "changed on site", str(tuning)
    # The configuration, and what INT8 was calibrated on, are pages long; --json prints them.
    shown = {key: value for key, value in manifest.training.items() if key not in ("config", "int8")}
    yield from ((f"training: {key}", _listing(value)) for key, value in shown.items())


def _variant(precision: str, variant: Variant) -> Iterator[tuple[str, str]]:
    """The graphs of a variant and their difference from torch, one line each."""
    from cmsn_runtime.manifest.contents import GRAPH_NAMES

    for name in GRAPH_NAMES:
        graph = variant.graphs[name]
        yield f"{precision} {name}", f"{graph.file}, {graph.bytes / 1e6:.2f} MB, sha256 {graph.sha256[:16]}..."
    yield f"{precision} parity", _parity(variant.parity)
    if variant.quality is not None:
        yield f"{precision} against fp32", _quality(variant.quality)


def _parity(parity: Parity) -> str:
    errors = ", ".join(f"{name} {value:.1e}" for name, value in parity.errors.items())
    return f"relative error against torch: {errors} (at most {parity.tolerance:g})"


def _quality(quality: Quality) -> str:
    recall = quality.recall
    found = (
        "AR not measured"
        if recall is None
        else f"AR@{recall.number} {recall.percent:.1f} instead of {recall.full_precision:.1f}"
    )
    of = " of ".join(part for part in (f"{quality.videos} videos", quality.videos_of) if part)
    where = ", ".join(part for part in (of, quality.measured, quality.backend) if part)
    return (
        f"{found}; {100 * quality.stages:.2f} % of {quality.steps:,} steps with the same stage; features "
        f"{quality.signal_to_noise:.1f} dB; {where}"
    )


def _states(manifest: Manifest) -> str:
    """Number of states, and their size per camera in each precision."""
    sizes = [
        f"{sum(state.nbytes for state in manifest.state_tensors(name)) / 1e6:.2f} MB in {name}"
        for name in manifest.variants
    ]
    return f"{len(manifest.states)} tensors; per camera {', '.join(sizes)}"


def _input(manifest: Manifest) -> str:
    picture = manifest.preprocessing
    if picture is not None:
        crop = f"{picture.crop[1]}x{picture.crop[0]} of {picture.resize[1]}x{picture.resize[0]}"
        flow = f"; optical flow, {_listing(asdict(picture.flow))}" if picture.flow else ""
        return f"{crop} pixels, {picture.channels}, mean {picture.mean}, scale {picture.scale:g}{flow}"
    return "" if manifest.features is None else f"rows of {manifest.features.width} values: {manifest.features.names}"


def _listing(value: object) -> str:
    """An object's items in one line; anything else unchanged."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {item}" for name, item in value.items())
