"""From a trained model to a bundle folder that either is whole and true to torch, or is not there."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cmsn_export.graphs import OPSET, build_graphs
from cmsn_export.halving import halved
from cmsn_export.parity import HALF_TOLERANCE, TOLERANCE, measure_parity
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
from cmsn_training.checkpoint import load_model
from cmsn_training.config import TrainingConfig
from cmsn_training.models.cmsn import CMSN


def export_bundle(
    checkpoint: Path,
    folder: Path,
    *,
    overwrite: bool = False,
    tolerance: float = TOLERANCE,
    stacked: Iterable[str] = (),
) -> Manifest:
    """Export a model.safetensors as a bundle folder: graphs in FP32, and those that gain by it in FP16 beside them.

    Parity between torch and ONNX Runtime is measured first; a graph that misses the tolerance refuses the export.
    The folder appears whole or not at all. stacked: see build_graphs.
    Raises SettingsError where the checkpoint is not one or a layer of `stacked` is none, BundleError where the folder
    exists already (and overwrite is off) or parity is missed.
    """
    if folder.suffix != ".cmsn":
        raise BundleError(f"{folder}: a bundle's name ends in .cmsn; give -o NAME.cmsn")
    if folder.exists() and not overwrite:
        raise BundleError(f"{folder} exists already; choose another name, or pass --force to replace it")
    model, config, provenance = load_model(checkpoint)
    window = config.grid.window
    graphs = build_graphs(model, window=window, stacked=stacked)
    parity = _checked(folder, measure_parity(model, graphs, window=window), tolerance)
    half = _half_graphs(folder, graphs)
    half_parity: dict[str, float] = {}
    if half:
        errors = measure_parity(model, {**graphs, **half}, window=window)
        half_parity = _checked(folder, {name: errors[name] for name in half}, HALF_TOLERANCE)
    exported = Graphs(graphs, parity, half, half_parity)
    manifest = describe(model, config, provenance, exported)
    write_bundle(folder, manifest, exported)
    return manifest


def _half_graphs(folder: Path, graphs: Mapping[str, bytes]) -> dict[str, bytes]:
    try:
        converted = {name: halved(graph) for name, graph in graphs.items()}
    except ValueError as error:
        raise BundleError(f"{folder}: {error}; nothing was written") from error
    return {name: graph for name, graph in converted.items() if graph is not None}


def _checked(folder: Path, errors: Mapping[str, float], tolerance: float) -> dict[str, float]:
    """Errors and their tolerance, where they keep it."""
    missed = [f"{name} {error:.2e}" for name, error in errors.items() if not error <= tolerance]
    if missed:
        raise BundleError(
            f"{folder}: ONNX Runtime differs from torch by more than {tolerance:g} ({', '.join(missed)}); nothing was "
            "written; this is a fault of the exporter or of these weights (NaN, or beyond FP16?), please report it"
        )
    return {**errors, "tolerance": tolerance}


@dataclass(frozen=True, slots=True)
class Graphs:
    """ONNX bytes by name in FP32 and, where they gain by it, FP16, with the errors that were measured."""

    full: dict[str, bytes]
    parity: dict[str, float]
    half: dict[str, bytes]
    half_parity: dict[str, float]


def describe(model: CMSN, config: TrainingConfig, provenance: dict[str, Any], graphs: Graphs) -> Manifest:
    """The manifest of a model and its graphs."""
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
        tracking=config.tracking,
        graphs={name: _file(f"{name}.onnx", graph) for name, graph in graphs.full.items()},
        half_graphs={name: _file(f"{name}.fp16.onnx", graph) for name, graph in graphs.half.items()},
        states=tuple(StateShape(name, shape) for name, shape in model.extractor.state_shapes().items()),
        parity=graphs.parity,
        half_parity=graphs.half_parity,
        training={
            **provenance,
            "config": config.model_dump(mode="json", exclude={"data": True, "output": True, "model": {"pretrained"}}),
            "exported_with": {**exported_with, "opset": OPSET},
        },
    )


def _file(name: str, graph: bytes) -> GraphFile:
    return GraphFile(name, len(graph), hashlib.sha256(graph).hexdigest())


def write_bundle(folder: Path, manifest: Manifest, graphs: Graphs) -> None:
    """Build the folder beside its place and move it there in one step; what it replaces goes last."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        built = Path(temporary) / "new"
        built.mkdir()
        for files, contents in ((manifest.graphs, graphs.full), (manifest.half_graphs, graphs.half)):
            for name, graph in contents.items():
                (built / files[name].file).write_bytes(graph)
        write_manifest(built, manifest)
        if folder.exists():
            shutil.move(folder, Path(temporary) / "old")
        shutil.move(built, folder)
