"""OpenVINO as backends: in FP32, and in the half precision that the processor has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.engine_cache import graphs_folder, made_folder, require_private
from cmsn_runtime.backends.onnxruntime.opening import CPU as ONNX_RUNTIME
from cmsn_runtime.backends.onnxruntime.opening import CPU_INT8 as ONNX_RUNTIME_INT8
from cmsn_runtime.backends.openvino.library import (
    CPU,
    is_device,
    is_installed,
    load_openvino,
    processor,
    require_device,
    version,
)
from cmsn_runtime.backends.openvino.precisions import BF16, FP16, FP32, INT8, Precision
from cmsn_runtime.backends.registry import BackendKind, Networks
from cmsn_runtime.backends.threads import cores, usual_threads
from cmsn_runtime.errors import BackendError, BackendWarning, SettingsError
from cmsn_runtime.manifest.contents import FULL_PRECISION

if TYPE_CHECKING:
    from cmsn_runtime.backends.openvino.backend import OpenVinoBackend

_MOST_DROP = 0.5  # points of AR


def _open(networks: Networks, precision: Precision) -> GraphBackend:
    """The networks in a precision, once its features are measured to be within its limit.

    Fewer products round a little more: where they are not within it, all products are computed. Where half precision
    is not either, FP32 takes over with a BackendWarning; where FP32 is not, BackendError is raised.
    """
    load_openvino()
    device = _device(networks)
    require_device(device)
    precision.require(device)
    precision = precision.on(device)
    limit, errors = precision.limit, []
    for winograd in (True, False) if device == CPU else (False,):
        backend = _opened(networks, precision, winograd=winograd)
        try:
            errors.append(_error(backend, networks, precision, winograd=winograd))
        except BaseException:
            backend.close()
            raise
        if errors[-1] <= limit:
            return backend
        backend.close()
    fault = (
        f"OpenVINO {version()} in {precision.name} on the {device} computes features that differ from ONNX "
        f"Runtime's by {errors[-1]:.1e}; at most {limit:.0e} is allowed (relative to the largest)"
    )
    if precision == FP32:
        raise BackendError(f"{fault}; take --backend onnxruntime")
    warnings.warn(f"{fault}; FP32 takes over", BackendWarning, stacklevel=4)
    return _open(networks, FP32)


def _opened(networks: Networks, precision: Precision, *, winograd: bool) -> OpenVinoBackend:
    from cmsn_runtime.backends.openvino.backend import OpenVinoBackend
    from cmsn_runtime.backends.openvino.compiling import Compilation
    from cmsn_runtime.backends.openvino.extracting import OpenVinoExtractor

    manifest = networks.manifest
    files = manifest.variant(precision.variant).graphs
    threads = _threads(networks, files["extractor"].bytes)
    states = manifest.state_tensors(precision.variant)
    compilation = Compilation(
        device=_device(networks),
        hint=precision.hint,
        threads=threads,
        streams=max(1, cores() // threads),
        winograd=winograd,
        cache=_cache(networks, precision),
    )
    extractor = OpenVinoExtractor(
        partial(networks.read, files["extractor"]), states, compilation, stride=manifest.grid.stride
    )
    return OpenVinoBackend(
        extractor,
        {name: networks.read(files[name]) for name in ("stages", "evaluator")},
        device=_device(networks),
        precision=precision,
        threads=threads,
        largest_batch=1 if networks.largest_batch is None else networks.largest_batch,
    )


def _device(networks: Networks) -> str:
    return networks.argument or CPU


def _threads(networks: Networks, extractor_bytes: int) -> int:
    if networks.threads is None:
        return usual_threads(extractor_bytes)
    if networks.threads < 1:
        raise SettingsError(f"threads is {networks.threads}; it must be at least 1; omit it for the default")
    return networks.threads


def _error(backend: OpenVinoBackend, networks: Networks, precision: Precision, *, winograd: bool) -> float:
    """How far its features are from those of the same graphs on ONNX Runtime: measured once on this machine."""
    from cmsn_runtime.backends.openvino import self_check

    graphs = sorted(file.sha256 for file in networks.manifest.graph_files)
    facts = [*graphs, backend.name, processor(_device(networks)), precision.hint, f"Winograd: {winograd}"]
    file = self_check.remembered(_cache(networks, precision), facts)
    error = self_check.read_error(file)
    if error is None:
        kind = ONNX_RUNTIME if precision.variant == FULL_PRECISION else ONNX_RUNTIME_INT8
        with kind.open(networks) as reference:
            error = self_check.feature_error(backend, reference, networks.manifest)
        self_check.write_error(file, error)
    return error


def _cache(networks: Networks, precision: Precision) -> Path | None:
    """The folder of what was compiled, which OpenVINO loads unchecked; None where it cannot be created.

    One for each device, precision and hint: OpenVINO's own key leaves the hint out.
    """
    name = f"openvino-{version()}-{precision.name.lower()}-{precision.hint}"
    folder = graphs_folder(networks.manifest) / (name if _device(networks) == CPU else f"{name}-{_device(networks)}")
    if not made_folder(folder):
        return None
    require_private(folder)
    return folder


def _absence(networks: Networks) -> str:
    if not is_installed():
        return "OpenVINO is not installed"
    return f"there is no device {networks.argument}" if networks.argument and not is_device(networks.argument) else ""


def _int8_absence(networks: Networks) -> str:
    """`auto` may take INT8 only once it is known that the bundle loses next to no recall by it."""
    variant = networks.manifest.variants.get(INT8.variant)
    recall = variant.quality.recall if variant and variant.quality else None
    if variant is None:
        return "the bundle has no INT8 variant"
    if recall is None:
        return "it is not known how much recall it costs"
    if recall.drop > _MOST_DROP:
        return f"it costs {recall.drop:.2f} points of AR@{recall.number}, more than {_MOST_DROP:g}"
    return _absence(networks)


def _kind(precision: Precision, rank: int | None = None, absence: Callable[[Networks], str] = _absence) -> BackendKind:
    return BackendKind(
        open=partial(_open, precision=precision),
        absence=absence,
        rank=rank,
        argument="a device of OpenVINO's, such as CPU, GPU, GPU.1 or NPU",
    )


# `auto` takes FP32 only: what it finds must not depend, beyond rounding, on which library is installed.
CPU_FP32 = _kind(FP32, rank=50)
CPU_BF16 = _kind(BF16)
CPU_FP16 = _kind(FP16)
CPU_INT8 = _kind(INT8, absence=_int8_absence)
