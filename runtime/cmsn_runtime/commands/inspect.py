"""`cmsn inspect`: what is in a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cmsn_runtime.manifest.contents import Manifest, Parity, Variant


@click.command(short_help="Say what is in a bundle.")
@click.argument("bundle", metavar="[NAME.cmsn]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The manifest as it stands.")
def inspect(bundle: Path | None, as_json: bool) -> None:
    """Check a bundle's files and say what is in it; without a name, the one that comes with cmsn."""
    from cmsn_runtime.bundle import locate_bundle, read_graph, read_manifest
    from cmsn_runtime.manifest.contents import MANIFEST_FILE

    folder = locate_bundle(bundle)
    manifest = read_manifest(folder)
    for graph in manifest.graph_files:
        read_graph(folder, graph)
    if as_json:
        click.echo((folder / MANIFEST_FILE).read_text(encoding="utf-8"), nl=False)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{folder.name}: every file is as it was exported", show_header=False)
    for name, value in _facts(manifest):
        table.add_row(name, value)
    Console().print(table)


def _facts(manifest: Manifest) -> list[tuple[str, str]]:
    network, grid = manifest.network, manifest.grid
    variants = [line for precision, variant in manifest.variants.items() for line in _variant(precision, variant)]
    return [
        ("name", f"{manifest.name}, exported {manifest.created}"),
        ("network", f"width {network.width:g}, {network.feature_channels} channels a step"),
        ("time", f"{grid.fps} fps, a step of {grid.stride} frames, a window of {grid.window} steps"),
        ("delay", f"{network.delay_steps} steps; a gap over {network.receptive_field_frames} frames resets"),
        ("state", _states(manifest)),
        ("input", _input(manifest)),
        *variants,
        ("proposals", _listing(asdict(manifest.proposals))),
        ("tracking", _listing(asdict(manifest.tracking))),
        # The configuration is pages long; --json has it.
        *((f"training: {key}", _listing(value)) for key, value in manifest.training.items() if key != "config"),
    ]


def _variant(precision: str, variant: Variant) -> list[tuple[str, str]]:
    """Its graphs and their distance from torch, a line each."""
    return [
        *(
            (f"{precision} {name}", f"{graph.file}, {graph.bytes / 1e6:.2f} MB, sha256 {graph.sha256[:16]}...")
            for name, graph in variant.graphs.items()
        ),
        (f"{precision} parity", _parity(variant.parity)),
    ]


def _parity(parity: Parity) -> str:
    errors = ", ".join(f"{name} {value:.1e}" for name, value in parity.errors.items())
    return f"relative error against torch: {errors} (at most {parity.tolerance:.0e})"


def _states(manifest: Manifest) -> str:
    """How many, and their size per camera in each precision."""
    sizes = [
        f"{sum(item.nbytes for item in manifest.state_tensors(name)) / 1e6:.2f} MB in {name}"
        for name in manifest.variants
    ]
    return f"{len(manifest.states)} tensors; per camera {', '.join(sizes)}"


def _input(manifest: Manifest) -> str:
    picture = manifest.preprocessing
    if picture is not None:
        crop = f"{picture.crop[1]}x{picture.crop[0]} of {picture.resize[1]}x{picture.resize[0]}"
        return f"{crop} pixels, {picture.channels}, mean {picture.mean}, scale {picture.scale:g}"
    return "" if manifest.features is None else f"rows of {manifest.features.width} values: {manifest.features.names}"


def _listing(value: object) -> str:
    """An object's items in one line; anything else as it is."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {item}" for name, item in value.items())
