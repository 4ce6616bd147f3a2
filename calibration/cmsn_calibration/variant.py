"""Adds an INT8 variant to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cmsn_export.bundle_folder import write_bundle
from cmsn_export.bundling import listed
from cmsn_export.variants import ExportedVariant, TypedGraph, state_dtypes
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.backends.openvino.self_check import feature_error
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.manifest.contents import FULL_PRECISION, Manifest, Parity, StateTensor
from cmsn_runtime.manifest.quality import Quality

INT8 = "int8"
Graphs = dict[str, TypedGraph]


def write_int8_variant(
    folder: Path,
    extractor: bytes,
    *,
    out: Path,
    quality: Quality | None = None,
    origin: Mapping[str, object] | None = None,
) -> Manifest:
    """Write a bundle that has one more variant, whose extractor is the given graph; all others stay as they are.

    folder: of the bundle. quality, origin: what the variant costs and comes from, for the manifest. Its parity is
    the error of its features on a short moving picture against FP32, both on ONNX Runtime: no video looks like it,
    and its values may lie beyond the ranges, so it bounds nothing.
    Raises BundleError and OutputError as `write_bundle`, and BackendError.
    """
    manifest = read_manifest(folder)
    variants = {
        name: ExportedVariant(
            {graph: TypedGraph(read_graph(folder, file), file.precision) for graph, file in variant.graphs.items()},
            variant.parity,
        )
        for name, variant in manifest.variants.items()
    }
    full = variants[FULL_PRECISION]
    graphs = {**full.graphs, "extractor": TypedGraph(extractor, INT8)}
    errors = {**full.parity.errors, "extractor": _error(manifest, graphs, full.graphs)}
    variants[INT8] = ExportedVariant(graphs, Parity(errors, tolerance=max(errors.values())))
    added = replace(listed(variants[INT8]), quality=quality)
    training = manifest.training if origin is None else {**manifest.training, INT8: dict(origin)}
    found = replace(manifest, variants={**manifest.variants, INT8: added}, training=training)
    write_bundle(out, found, variants)
    return found


def _error(manifest: Manifest, graphs: Graphs, full: Graphs) -> float:
    with _opened(manifest, graphs) as backend, _opened(manifest, full) as reference:
        return feature_error(backend, reference, manifest)


def _opened(manifest: Manifest, graphs: Mapping[str, TypedGraph]) -> OnnxRuntimeBackend:
    dtypes = state_dtypes(graphs["extractor"].onnx)
    states = [StateTensor(state.name, state.shape, dtypes[state.name]) for state in manifest.states]
    return OnnxRuntimeBackend({name: graph.onnx for name, graph in graphs.items()}, states)
