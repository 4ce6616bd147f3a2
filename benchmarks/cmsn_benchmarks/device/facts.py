"""The properties of a machine that its figures depend on: nothing that identifies it, no paths."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from cmsn_benchmarks.device.host_facts import host_facts

_LIBRARIES = (
    "torch",
    "triton",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "tensorrt-lean-cu12",
    "pycuda",
    "cuda-bindings",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "nvidia-cublas",
    "numpy",
    "numba",
)
_GPU_ITEMS = (
    "name",
    "driver_version",
    "memory.total",
    "memory.used",
    "clocks.sm",
    "clocks.max.sm",
    "clocks.mem",
    "power.limit",
    "temperature.gpu",
    "mig.mode.current",
    "utilization.gpu",
)


def machine_facts() -> dict[str, object]:
    """GPU as reported by nvidia-smi now (others may be using it too), processor, versions of the installed packages."""
    return {
        "gpu": gpu_items(_GPU_ITEMS),
        **host_facts(),
        "system": platform.system(),
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name)) is not None},
    }


def gpu_items(items: tuple[str, ...]) -> dict[str, str]:
    """Properties of the first GPU from nvidia-smi, in its units; empty without nvidia-smi or a GPU."""
    command = ["nvidia-smi", "--id=0", f"--query-gpu={','.join(items)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return {}
    values = [value.strip() for value in done.stdout.strip().split(",")]
    return dict(zip(items, values, strict=True)) if len(values) == len(items) else {}


def used_mebibytes() -> float | None:
    """GPU memory in use by all processes; None where it is unknown."""
    found = gpu_items(("memory.used",)).get("memory.used", "").split()
    return float(found[0]) if found and found[0].replace(".", "", 1).isdigit() else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
