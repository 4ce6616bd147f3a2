"""From a trained model to a bundle folder that either is whole and true to torch, or is not there."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cmsn_export.graphs import OPSET, build_graphs
from cmsn_export.parity import TOLERANCE, measure_parity
from cmsn_runtime.errors import BundleError
from cmsn_runtime.manifest import (
    FORMAT_VERSION,
    FeatureInput,
    GraphFile,
    Manifest,
    NetworkFacts,
    StateShape,
    write_manifest,
)
from cmsn_training.config import TrainingConfig
from cmsn_training.models.cmsn import CMSN, load_model


def export_bundle(checkpoint: Path, folder: Path, *, overwrite: bool = False, tolerance: float = TOLERANCE) -> Manifest:
    """Export a model.safetensors as a bundle folder.

    Parity between torch and ONNX Runtime is measured first; a graph that misses the tolerance refuses the export.
    The folder appears whole or not at all. Raises SettingsError where the checkpoint is not one, BundleError where the
    folder exists already (and overwrite is off) or parity is missed.
    """
    if folder.suffix != ".cmsn":
        raise BundleError(f"{folder}: a bundle's name ends in .cmsn; give -o NAME.cmsn")
    if folder.exists() and not overwrite:
        raise BundleError(f"{folder} exists already; choose another name, or pass --force to replace it")
    model, config, provenance = load_model(checkpoint)
    graphs = build_graphs(model, window=config.grid.window)
    parity = measure_parity(model, graphs, window=config.grid.window)
    missed = [f"{name} {error:.2e}" for name, error in parity.items() if not error <= tolerance]
    if missed:
        raise BundleError(
            f"{folder}: ONNX Runtime differs from torch by more than {tolerance:g} ({', '.join(missed)}); nothing was "
            "written; this is a fault of the exporter or of these weights (NaN?), please report it"
        )
    manifest = describe(model, config, provenance, graphs, {**parity, "tolerance": tolerance})
    _write(folder, manifest, graphs)
    return manifest


def describe(
    model: CMSN,
    config: TrainingConfig,
    provenance: dict[str, Any],
    graphs: Mapping[str, bytes],
    parity: dict[str, float],
) -> Manifest:
    """The manifest of a model and its graphs."""
    files = {
        name: GraphFile(f"{name}.onnx", len(graph), hashlib.sha256(graph).hexdigest()) for name, graph in graphs.items()
    }
    exported_with = {name: version(name) for name in ("torch", "onnx", "onnxruntime")}
    return Manifest(
        format_version=FORMAT_VERSION,
        name=config.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        network=NetworkFacts(
            width=config.model.width,
            feature_channels=model.feature_channels,
            delay_steps=model.extractor.delay_steps,
            receptive_field_frames=model.extractor.receptive_field_frames,
        ),
        grid=config.time_grid(),
        preprocessing=config.picture() if config.features is None else None,
        features=FeatureInput(config.features.width, config.features.names) if config.features else None,
        proposals=config.proposal_settings(),
        tracking=config.tracker_settings(),
        graphs=files,
        states=tuple(StateShape(name, shape) for name, shape in model.extractor.state_shapes().items()),
        parity=parity,
        training={
            **provenance,
            "config": config.model_dump(mode="json", exclude={"data": True, "output": True, "model": {"pretrained"}}),
            "exported_with": {**exported_with, "opset": OPSET},
        },
    )


def _write(folder: Path, manifest: Manifest, graphs: Mapping[str, bytes]) -> None:
    """Build the folder beside its place and move it there in one step; what it replaces goes last."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        built = Path(temporary) / "new"
        built.mkdir()
        for name, graph in graphs.items():
            (built / manifest.graphs[name].file).write_bytes(graph)
        write_manifest(built, manifest)
        if folder.exists():
            shutil.move(folder, Path(temporary) / "old")
        shutil.move(built, folder)
