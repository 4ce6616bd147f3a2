"""What a backend of a report is called: `auto` says which one it took."""

from __future__ import annotations

from cmsn_benchmarks.device.figures import BackendFigures


def taken_name(backend: BackendFigures) -> str:
    """As `--backend` would name it: "openvino-bf16"."""
    return backend.name or backend.asked


def named(backend: BackendFigures) -> str:
    """For a column or a message: "onnxruntime", "openvino (auto)"."""
    taken = taken_name(backend)
    return taken if taken == backend.asked else f"{taken} ({backend.asked})"
