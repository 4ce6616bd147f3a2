"""From a trained model to a bundle folder that either is complete and agrees with torch, or does not appear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cmsn_export.bundle_folder import require_place, write_bundle
from cmsn_export.graphs import build_graphs
from cmsn_export.parity import TOLERANCES, measure_parity
from cmsn_export.variants import ExportedVariant, TypedGraph, state_dtypes, typed_variants
from cmsn_runtime.errors import BackendError, BundleError
from cmsn_runtime.manifest.contents import (
    FULL_PRECISION,
    FeatureInput,
    GraphFile,
    Manifest,
    NetworkFacts,
    Parity,
    StateShape,
    Variant,
)
from cmsn_runtime.names import first_few
from cmsn_training.checkpoint import load_model
from cmsn_training.config import TrainingConfig
from cmsn_training.models.cmsn import CMSN
from cmsn_training.onnx_module import OPSET

_OF_THIS_MACHINE: Any = {
    "data": True,
    "output": True,
    "model": {"pretrained"},
    "extractor": {"networks": {"__all__": {"file"}}},
}


def export_bundle(
    checkpoint: Path,
    folder: Path,
    *,
    overwrite: bool = False,
    tolerance: float = TOLERANCES[FULL_PRECISION],
    stacked: Iterable[str] = (),
) -> Manifest:
    """Export a model.safetensors as a bundle folder: graphs in FP32, and FP16 versions of those that gain from it.

    Parity between torch and ONNX Runtime is measured first, in each precision; the export is refused where a graph
    exceeds the tolerance. The folder appears complete or not at all. tolerance: that of FP32. stacked: see
    build_graphs. Raises SettingsError where the checkpoint is invalid or a layer of `stacked` unknown, BundleError
    where the folder exists already (and overwrite is off, or it is not a bundle), where weights are not finite or
    parity is missed, OutputError where it cannot be written.
    """
    require_place(folder, overwrite=overwrite)
    model, config, provenance = load_model(checkpoint)
    _require_finite(checkpoint, model)
    graphs = build_graphs(model, window=config.grid.window, stacked=stacked)
    tolerances = {**TOLERANCES, FULL_PRECISION: tolerance}
    variants = {
        precision: _measured(folder, model, typed, window=config.grid.window, tolerance=tolerances[precision])
        for precision, typed in _typed(folder, graphs).items()
    }
    manifest = describe(model, config, provenance, variants)
    write_bundle(folder, manifest, variants)
    return manifest


def _require_finite(checkpoint: Path, model: CMSN) -> None:
    wrong = [name for name, value in model.state_dict().items() if not value.isfinite().all()]
    if wrong:
        raise BundleError(
            f"{checkpoint}: {first_few(wrong)} holds values that are not finite; nothing was written; the training "
            "diverged: train again with a lower learning_rate"
        )


def _typed(folder: Path, graphs: Mapping[str, bytes]) -> dict[str, dict[str, TypedGraph]]:
    try:
        return typed_variants(graphs)
    except ValueError as error:
        raise BundleError(f"{folder}: {error}; nothing was written") from error


def _measured(
    folder: Path, model: CMSN, graphs: dict[str, TypedGraph], *, window: int, tolerance: float
) -> ExportedVariant:
    """A variant with its parity. Raises BundleError where it exceeds the tolerance, or does not run."""
    fault = "; nothing was written; this is a fault of the exporter or of these weights (NaN, or outside FP16's range?)"
    try:
        errors = measure_parity(model, {name: graph.onnx for name, graph in graphs.items()}, window=window)
    except BackendError as error:
        raise BundleError(f"{folder}: {error}{fault}") from error
    missed = [f"{name} {error:.2e}" for name, error in errors.items() if not error <= tolerance]
    if missed:
        raise BundleError(
            f"{folder}: ONNX Runtime differs from torch by more than {tolerance:g} ({', '.join(missed)}){fault}, "
            "please report it"
        )
    return ExportedVariant(graphs, Parity(errors, tolerance))


def describe(
    model: CMSN, config: TrainingConfig, provenance: dict[str, Any], variants: Mapping[str, ExportedVariant]
) -> Manifest:
    """The manifest of a model and its variants by precision."""
    exported_with = {name: version(name) for name in ("torch", "onnx", "onnxruntime")}
    return Manifest(
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
        states=tuple(StateShape(name, shape) for name, shape in model.extractor.state_shapes().items()),
        variants={precision: listed(variant) for precision, variant in variants.items()},
        training={
            **provenance,
            "config": config.model_dump(mode="json", exclude=_OF_THIS_MACHINE),
            "exported_with": {**exported_with, "opset": OPSET},
        },
    )


def listed(variant: ExportedVariant) -> Variant:
    """A variant as the manifest describes it."""
    return Variant(
        graphs={
            name: GraphFile(
                graph.file_name(name), len(graph.onnx), hashlib.sha256(graph.onnx).hexdigest(), graph.precision
            )
            for name, graph in variant.graphs.items()
        },
        parity=variant.parity,
        state_dtypes=state_dtypes(variant.graphs["extractor"].onnx),
    )
