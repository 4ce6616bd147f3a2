"""Builds the engines of a bundle on the device that will run them; those that are up to date stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cmsn_export.engine_building import BuilderSettings, build_plan, inspect_graph
from cmsn_export.engine_network import ParsedNetwork
from cmsn_export.engine_progress import BuildProgress
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.backends.tensorrt.driver import device_facts
from cmsn_runtime.backends.tensorrt.engine_files import (
    EngineKey,
    ensure_writable,
    read_engine,
    read_sidecar,
    write_engine,
)
from cmsn_runtime.backends.tensorrt.opening import own_engines
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import GRAPH_NAMES, GraphFile, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome for one graph. reason: why it was built, or that it is up to date."""

    graph: str
    precision: str
    built: bool
    reason: str
    megabytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """What to build from a bundle. engines: their folder, None for the user's own, see `placed`.

    precision: one of its variants; by default FP16 where available, otherwise FP32.
    """

    bundle: Path
    engines: Path | None
    sizes: EngineSizes
    builder: BuilderSettings
    precision: str | None = None


def placed(plan: BuildPlan) -> BuildPlan:
    """The plan with a folder, the user's own for this device by default, and with a timing cache, by default in that
    folder.

    Raises as `build_engines` does.
    """
    engines = plan.engines or own_engines(read_manifest(plan.bundle), device_facts())
    timing_cache = plan.builder.timing_cache or engines / "timing.cache"
    return replace(plan, engines=engines, builder=replace(plan.builder, timing_cache=timing_cache))


def build_engines(
    trt: Any, plan: BuildPlan, *, force: bool = False, progress: BuildProgress | None = None
) -> Iterator[Outcome]:
    """Build the engines that are missing, damaged or out of date, one after the other.

    force: build all. Raises BundleError for a damaged bundle, MissingExtraError without pycuda, BackendError without a
    GPU, or where TensorRT refuses a graph; existing engines stay until a new one replaces them.
    """
    manifest = read_manifest(plan.bundle)
    files = _files(manifest, plan)
    facts = device_facts()
    folder = plan.engines or own_engines(manifest, facts)
    ensure_writable(folder)  # first: a build takes minutes
    for name, graph in files.items():
        shapes = engine_shapes(manifest, name, plan.sizes)
        key = EngineKey(
            onnx_sha256=graph.sha256,
            precision=graph.precision,
            library=str(trt.__version__),
            gpu=facts.name,
            compute_capability=facts.compute_capability,
            multiprocessors=facts.multiprocessors,
            shapes=shapes,
            level=plan.builder.level,
            workspace_bytes=plan.builder.workspace_bytes,
            version_compatible=plan.builder.version_compatible,
        )
        reason = "--force" if force else _reason(folder, name, key)
        if reason is not None:
            onnx = read_graph(plan.bundle, graph)
            built = build_plan(
                trt, onnx, shapes, plan.builder, graph=name, precision=graph.precision, progress=progress
            )
            write_engine(folder, name, built, key)
        size = len(read_engine(folder, name, command="cmsn build --force").plan)
        yield Outcome(
            graph=name,
            precision=graph.precision,
            built=reason is not None,
            reason=reason or "it is up to date",
            megabytes=size / 1e6,
        )


def inspect_graphs(trt: Any, plan: BuildPlan) -> Iterator[tuple[str, str, ParsedNetwork]]:
    """Only parse the graphs -> name, precision and layers of each. Raises as `build_engines` does; needs no pycuda."""
    manifest = read_manifest(plan.bundle)
    for name, graph in _files(manifest, plan).items():
        shapes = engine_shapes(manifest, name, plan.sizes)
        onnx = read_graph(plan.bundle, graph)
        yield name, graph.precision, inspect_graph(trt, onnx, shapes, graph=name, precision=graph.precision)


def _files(manifest: Manifest, plan: BuildPlan) -> dict[str, GraphFile]:
    """The graphs to build, in the order of a bundle. Raises SettingsError for a precision that it lacks."""
    graphs = manifest.variant(plan.precision or manifest.gpu_precision).graphs
    return {name: graphs[name] for name in GRAPH_NAMES}


def _reason(folder: Path, name: str, key: EngineKey) -> str | None:
    """Why an engine must be built; None where the existing one is up to date."""
    sidecar = read_sidecar(folder, name)
    if sidecar is None:
        return "it is missing"
    changed = sidecar.key.differences(key)
    if changed:
        return "; ".join(changed)
    try:
        read_engine(folder, name, command="")
    except BackendError:
        return "it is damaged"
    return None
