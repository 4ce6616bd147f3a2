"""ONNX Runtime as backends: on the CPU, in FP32 and INT8, with CUDA, and with TensorRT inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.engine_cache import graphs_folder
from cmsn_runtime.backends.registry import BackendKind, Networks
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.manifest.contents import FULL_PRECISION

if TYPE_CHECKING:
    from cmsn_runtime.backends.onnxruntime.provider import Provider

_INT8 = "int8"

# The library itself is imported inside the functions: it is slow to load.


def _open_cpu(networks: Networks) -> GraphBackend:
    from cmsn_runtime.backends.onnxruntime.provider import Provider

    return _open(networks, FULL_PRECISION, Provider("cpu"))


def _open_cpu_int8(networks: Networks) -> GraphBackend:
    from cmsn_runtime.backends.onnxruntime.provider import Provider

    return _open(networks, _INT8, Provider("cpu"))


def _open_cuda(networks: Networks) -> GraphBackend:
    from cmsn_runtime.backends.onnxruntime.provider import Provider

    return _open(networks, networks.manifest.gpu_precision, Provider("cuda"))


def _open_tensorrt(networks: Networks) -> GraphBackend:
    from cmsn_runtime.backends.onnxruntime.provider import Provider

    manifest = networks.manifest
    precision = manifest.gpu_precision
    files = manifest.variant(precision).graphs
    sizes = EngineSizes(cameras=networks.largest_batch or 1)
    provider = Provider(
        "tensorrt",
        shapes={name: engine_shapes(manifest, name, sizes) for name in files},
        precisions={name: file.precision for name, file in files.items()},
        cache=(networks.engines or graphs_folder(manifest)) / "onnxruntime",
    )
    return _open(networks, precision, provider)


def _open(networks: Networks, precision: str, provider: Provider) -> GraphBackend:
    from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend

    files = networks.manifest.variant(precision).graphs
    return OnnxRuntimeBackend(
        {name: networks.read(graph) for name, graph in files.items()},
        networks.manifest.state_tensors(precision),
        threads=networks.threads,
        largest_batch=networks.largest_batch,
        provider=provider,
        variant=precision,
    )


def _without_cuda(networks: Networks) -> str:
    from cmsn_runtime.backends.onnxruntime.provider import has_cuda

    return "" if has_cuda() else "ONNX Runtime has no CUDA here"


def _without_int8(networks: Networks) -> str:
    return "" if _INT8 in networks.manifest.variants else "the bundle has no INT8 variant"


CPU = BackendKind(open=_open_cpu, absence=lambda networks: "", rank=90)
# Opened only by name: it has no INT8 kernel for convolutions over time, and is no faster than in FP32.
CPU_INT8 = BackendKind(open=_open_cpu_int8, absence=_without_int8)
CUDA = BackendKind(open=_open_cuda, absence=_without_cuda, rank=20)
# Opened only by name: its first start takes minutes.
TENSORRT = BackendKind(open=_open_tensorrt, absence=_without_cuda)
