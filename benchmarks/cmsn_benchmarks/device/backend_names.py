"""What a backend of a report is called: `auto` says which one it took."""

from __future__ import annotations

from cmsn_benchmarks.device.figures import BackendFigures
from cmsn_runtime.backends.registry import AUTO

# What the name of an opened backend holds, and what the command line calls it: the first that fits.
_NAMES = (
    (("ONNX Runtime", "Tensorrt"), "ort-tensorrt"),
    (("ONNX Runtime", "CUDA"), "ort-cuda"),
    (("ONNX Runtime",), "onnxruntime"),
    (("OpenVINO", "BF16"), "openvino-bf16"),
    (("OpenVINO", "FP16"), "openvino-fp16"),
    (("OpenVINO", "INT8"), "openvino-int8"),
    (("OpenVINO",), "openvino"),
    (("TensorRT",), "tensorrt"),
)


def taken_name(backend: BackendFigures) -> str:
    """As `--backend` would name it: "openvino-bf16"; as it was asked for where that says so already."""
    if backend.asked != AUTO:
        return backend.asked
    own = backend.backend.partition(";")[0]  # after it: what answers for single networks
    return next((name for words, name in _NAMES if all(word in own for word in words)), backend.asked)


def named(backend: BackendFigures) -> str:
    """For a column or a message: "onnxruntime", "openvino (auto)"."""
    taken = taken_name(backend)
    return taken if taken == backend.asked else f"{taken} ({backend.asked})"
