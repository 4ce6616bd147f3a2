"""The facts of a machine in one line."""

from __future__ import annotations

from collections.abc import Mapping

# Libraries that run networks; the others are in the file.
_SHOWN_LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "tensorrt-lean-cu12")


def machine_words(machine: Mapping[str, object]) -> str:
    """ "AMD EPYC, 2 cores, Linux, Python 3.11.7, onnxruntime 1.32.0": those that are known."""
    gpu, libraries = (_mapping(machine.get(name)) for name in ("gpu", "libraries"))
    found = [
        _text(machine.get("processor")),
        _text(gpu.get("name")),
        *([f"{machine['cores']} cores"] if "cores" in machine else []),
        _text(machine.get("system")),
        *([f"Python {machine['python']}"] if "python" in machine else []),
        *(f"{name} {libraries[name]}" for name in _SHOWN_LIBRARIES if name in libraries),
    ]
    return ", ".join(filter(None, found)) or "an unknown machine"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
