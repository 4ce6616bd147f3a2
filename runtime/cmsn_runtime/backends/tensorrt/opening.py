"""Opens the TensorRT backend from the engines on disk: faults are found before an engine is loaded."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.engine_cache import graphs_folder, require_private
from cmsn_runtime.backends.registry import BackendKind, Networks
from cmsn_runtime.backends.tensorrt.driver import DeviceFacts, device_facts
from cmsn_runtime.backends.tensorrt.engine_files import EngineKey, engine_file, read_engine
from cmsn_runtime.backends.tensorrt.library import load_tensorrt, version_numbers
from cmsn_runtime.errors import BackendError, BackendWarning
from cmsn_runtime.manifest.contents import GRAPH_NAMES, Manifest

_COMPATIBLE_MAJORS = 2  # 8.6 under 10 (there is no public 9), 10 under 11; NVIDIA promises no more

if TYPE_CHECKING:
    from cmsn_runtime.backends.tensorrt.backend import TensorRTBackend
    from cmsn_runtime.backends.tensorrt.engine import Tensor


def has_engines(folder: Path) -> bool:
    """Whether a folder contains engines, usable or not."""
    return any(engine_file(folder, name).exists() for name in GRAPH_NAMES)


def has_own_engines(manifest: Manifest) -> bool:
    """Whether this user has built engines of a bundle, for any device and with any TensorRT."""
    folder = graphs_folder(manifest)
    return folder.is_dir() and any(has_engines(device) for device in folder.iterdir())


def own_engines(manifest: Manifest, facts: DeviceFacts) -> Path:
    """Folder of the user's own engines of a bundle for one kind of device."""
    device = f"{facts.name}-{facts.compute_capability}-{facts.multiprocessors}"
    return graphs_folder(manifest) / re.sub(r"[^A-Za-z0-9.]+", "-", device)


def open_engines(
    folder: Path | None, manifest: Manifest, *, command: str, engine_code: bool = False
) -> TensorRTBackend:
    """Open the engines of a bundle. folder: None for the user's own. command: the command that builds them, for

    messages. engine_code: whether engines may contain code of their own, as version-compatible ones do: a lean runtime
    that runs with the rights of this process.
    Raises MissingExtraError without TensorRT or pycuda; BackendError, with what was found, what is needed and the
    command to run, where a driver, a GPU or an engine is missing, where an engine is damaged, of another graph, another
    GPU or another TensorRT, or does not fit into memory, and where others may write the user's own folder.
    """
    trt = load_tensorrt()
    facts = device_facts()
    if folder is None:
        folder = own_engines(manifest, facts)
        require_private(folder)
    engines = {name: read_engine(folder, name, command=command) for name in GRAPH_NAMES}
    for name, engine in engines.items():
        fault = _fault(name, engine.key, manifest, facts) or _library_fault(engine.key, trt)
        if fault is not None:
            raise BackendError(f"the {name} engine {fault}; build it again on this device: {command}")
        if engine.key.version_compatible and not engine_code:
            raise BackendError(
                f"the {name} engine was built with --version-compatible: it contains code of its own, which would run "
                "with your rights; if you built it yourself, pass --allow-engine-code, or build it again: " + command
            )
    from cmsn_runtime.backends.tensorrt.backend import TensorRTBackend

    backend = TensorRTBackend(engines, stride=manifest.grid.stride, window=manifest.grid.window, command=command)
    fault = _state_fault(backend.states, engines["extractor"].key, manifest)
    if fault is not None:
        backend.close()
        raise BackendError(f"the extractor engine {fault}; build it again on this device: {command}")
    return backend


def _fault(graph: str, key: EngineKey, manifest: Manifest, facts: DeviceFacts) -> str | None:
    """Why an engine cannot be used on this device; None where it can."""
    if key.onnx_sha256 not in {variant.graphs[graph].sha256 for variant in manifest.variants.values()}:
        return "was built from another graph; the bundle has changed since"
    built, found = _device(key), _device(facts)
    if built != found:
        return f"was built on {built}; this device is {found}"
    return None


def _state_fault(found: Mapping[str, Tensor], key: EngineKey, manifest: Manifest) -> str | None:
    """Why the states of an extractor's engine do not fit; None where they do."""
    precision = next(
        name for name, item in manifest.variants.items() if item.graphs["extractor"].sha256 == key.onnx_sha256
    )
    needed = {state.name: state.dtype for state in manifest.state_tensors(precision)}
    types = {name: tensor.dtype.name for name, tensor in found.items()}
    if types == needed:
        return None
    wrong = sorted(name for name in {*types, *needed} if types.get(name) != needed.get(name))
    return f"has the state {wrong[0]} as {types.get(wrong[0])}; the manifest declares {needed.get(wrong[0])}"


def _device(facts: EngineKey | DeviceFacts) -> str:
    name = facts.gpu if isinstance(facts, EngineKey) else facts.name
    return f"{name} (compute capability {facts.compute_capability}, {facts.multiprocessors} multiprocessors)"


def _library_fault(key: EngineKey, trt: Any) -> str | None:
    installed = str(trt.__version__)
    if trt.__name__ == "tensorrt_lean" and not key.version_compatible:
        return "needs all of TensorRT; only tensorrt_lean is installed, which runs what --version-compatible built"
    if key.library == installed:
        return None
    ours, built = version_numbers(installed), version_numbers(key.library)
    if ours < built:
        return f"needs TensorRT {key.library}; {installed}, which is older, is installed"
    if key.version_compatible and ours[0] - built[0] <= _COMPATIBLE_MAJORS:
        return None
    return (
        f"was built with TensorRT {key.library}; {installed}, which is newer, is installed, and only engines built "
        "with --version-compatible may be loaded by later versions"
    )


def _open(networks: Networks) -> GraphBackend:
    command, engine_code = networks.build_command, networks.engine_code
    try:
        backend = open_engines(networks.engines, networks.manifest, command=command, engine_code=engine_code)
    except BackendError as error:
        passed_over = _passed_over(networks)
        if passed_over is None:
            raise
        raise BackendError(f"{error}; {passed_over}") from error
    if networks.largest_batch is not None:
        backend.largest_batch = min(backend.largest_batch, networks.largest_batch)
    return backend


def _without_engines(networks: Networks) -> str:
    """Whether engines are named or were built by this user; a BackendWarning where the bundle's were not used."""
    passed_over = _passed_over(networks)
    if passed_over is not None:
        warnings.warn(passed_over, BackendWarning, stacklevel=5)
    return "" if networks.engines is not None or has_own_engines(networks.manifest) else "no engines are built"


def _passed_over(networks: Networks) -> str | None:
    """The warning about unused engines within the bundle; None where some are named or this user has built some."""
    if networks.engines is not None or not has_engines(networks.bundle_engines):
        return None
    if has_own_engines(networks.manifest):
        return None
    return (
        "engines within the bundle were not used, since an engine runs with your rights whoever built it; build "
        f"your own with `{networks.build_command}`, or pass --engines {networks.bundle_engines} if you trust them"
    )


TENSORRT = BackendKind(open=_open, absence=_without_engines, rank=10)
