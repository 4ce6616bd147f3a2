"""`cmsn export`: from a trained model to a bundle."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Export a trained model as a bundle for the runtime.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="NAME.cmsn, a folder.")
@click.option("--force", is_flag=True, help="Replace a bundle of that name.")
@click.option(
    "--conv2d",
    "stacked",
    metavar="all|LAYER,...",
    default="",
    help="Convolutions to write as two-dimensional ones over stacked steps: conv1a ... conv5b, stage1, stage2.",
)
def export(checkpoint: Path, output: Path, force: bool, stacked: str) -> None:
    """Export CHECKPOINT, the model.safetensors of a training, as a bundle: ONNX graphs and manifest.json.

    The graphs come in FP32 and, for engines on a GPU, in FP16. They are run on ONNX Runtime and compared with
    torch; the export is refused where they differ.
    """
    from cmsn_runtime.errors import MissingExtraError

    for library in ("torch", "onnx"):
        try:
            __import__(library)
        except ImportError as error:
            raise MissingExtraError(library, "export", "exporting") from error
    from cmsn_export.bundling import export_bundle
    from cmsn_runtime.reporting import say

    layers = [name.strip() for name in stacked.split(",") if name.strip()]
    manifest = export_bundle(checkpoint, output, overwrite=force, stacked=layers)
    for precision, variant in manifest.variants.items():
        total = sum(graph.bytes for graph in variant.graphs.values())
        errors = ", ".join(f"{name} {value:.1e}" for name, value in variant.parity.errors.items())
        say(
            f"{output}: {precision.upper()} {total / 1e6:.2f} MB; relative error against torch: {errors} "
            f"(at most {variant.parity.tolerance:g})"
        )
