"""Which library runs a bundle: the one that was asked for, or the best that works here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.engine_cache import graphs_folder
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.backends.tensorrt.opening import has_engines, has_own_engines, open_engines
from cmsn_runtime.errors import BackendError, BackendWarning, MissingExtraError, SettingsError
from cmsn_runtime.manifest.contents import FULL_PRECISION, GraphFile, Manifest

BackendKind = Literal["auto", "tensorrt", "ort-tensorrt", "ort-cuda", "onnxruntime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What a backend is made from: a bundle's manifest, its graphs as they are read, and where its engines are.

    engines: the folder of the engines to use; None for those that this user has built. bundle_engines: the folder in
    the bundle itself, whose engines are used only where `engines` names it.
    build_command: what builds engines, for messages. threads: see OnnxRuntimeBackend. engine_code: see open_engines.
    """

    manifest: Manifest
    read: Callable[[GraphFile], bytes]
    engines: Path | None
    bundle_engines: Path
    build_command: str
    threads: int | None = None
    engine_code: bool = False


def open_backend(kind: BackendKind, networks: Networks) -> GraphBackend:
    """Open the networks with a library.

    `auto` takes TensorRT where engines are named or were built by this user, else ONNX Runtime on the GPU where the
    package with CUDA is installed, else on the CPU. A BackendWarning says why one of the first two cannot be used, or
    that engines within the bundle were passed over.
    Raises SettingsError for an unknown kind; MissingExtraError and BackendError where the library is missing, refuses
    the graphs, or finds that they are not what the manifest says.
    """
    if kind not in get_args(BackendKind):
        raise SettingsError(f"backend is {kind!r}; it must be one of {', '.join(get_args(BackendKind))}")
    backend = _open_best(networks) if kind == "auto" else _open(kind, networks)
    manifest = networks.manifest
    announced = (manifest.input_shape, manifest.network.feature_channels, manifest.proposals.roi_bins)
    found = (backend.input_shape, backend.feature_channels, backend.roi_bins)
    if found != announced:
        backend.close()
        raise BackendError(
            f"its graphs have input shape, feature channels and RoI bins {found}; its manifest says {announced}; "
            "export the model again"
        )
    return backend


def _open_best(networks: Networks) -> GraphBackend:
    passed_over = _passed_over(networks)
    if passed_over is not None:
        warnings.warn(passed_over, BackendWarning, stacklevel=4)
    elif networks.engines is not None or has_own_engines(networks.manifest):
        try:
            return _open("tensorrt", networks)
        except (BackendError, MissingExtraError) as error:
            _warn("the TensorRT engines cannot be used", error)
    from cmsn_runtime.backends.onnxruntime.provider import has_cuda

    if has_cuda():
        try:
            return _open("ort-cuda", networks)
        except BackendError as error:
            _warn("ONNX Runtime cannot use the GPU", error)
    return _open("onnxruntime", networks)


def _open(kind: BackendKind, networks: Networks) -> GraphBackend:
    manifest = networks.manifest
    if kind == "tensorrt":
        return _open_engines(networks)
    from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend  # here: loading the library takes a while
    from cmsn_runtime.backends.onnxruntime.provider import Provider

    precision = FULL_PRECISION if kind == "onnxruntime" else manifest.best_precision("fp16")
    files = manifest.variant(precision).graphs
    graphs = {name: networks.read(graph) for name, graph in files.items()}
    provider = {
        "onnxruntime": Provider("cpu"),
        "ort-cuda": Provider("cuda"),
        "ort-tensorrt": Provider(
            "tensorrt",
            shapes={name: engine_shapes(manifest, name, EngineSizes()) for name in graphs},
            precisions={name: file.precision for name, file in files.items()},
            cache=(networks.engines or graphs_folder(manifest)) / "onnxruntime",
        ),
    }[kind]
    states = manifest.state_tensors(precision)
    return OnnxRuntimeBackend(graphs, states, threads=networks.threads, provider=provider)


def _open_engines(networks: Networks) -> GraphBackend:
    command, engine_code = networks.build_command, networks.engine_code
    try:
        return open_engines(networks.engines, networks.manifest, command=command, engine_code=engine_code)
    except BackendError as error:
        passed_over = _passed_over(networks)
        if passed_over is None:
            raise
        raise BackendError(f"{error}; {passed_over}") from error


def _passed_over(networks: Networks) -> str | None:
    """What to say of engines within the bundle where none are named and this user has built none; else None."""
    if networks.engines is not None or not has_engines(networks.bundle_engines):
        return None
    if has_own_engines(networks.manifest):
        return None
    return (
        "engines within the bundle were passed over, since an engine runs with your rights whoever built it; build "
        f"your own with `{networks.build_command}`, or pass --engines {networks.bundle_engines} if you trust them"
    )


def _warn(what: str, error: Exception) -> None:
    warnings.warn(f"{what} ({error}); the next best backend takes over", BackendWarning, stacklevel=5)
