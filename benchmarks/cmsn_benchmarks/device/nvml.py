"""The first GPU by NVML, NVIDIA's library of its driver: the counters behind nvidia-smi, without a process per look."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from cmsn_benchmarks.device.reading import Reading

# Bits of nvmlClocksEventReasons: slowed down by heat, by the board's power supply, or by hardware protection.
_SLOWDOWNS = 0x08 | 0x20 | 0x40 | 0x80


def sample_gpu() -> Reading | None:
    """The sensors now; None without a GPU, its driver or the package nvidia-ml-py."""
    if _device() is None:
        return None
    power = _asked("nvmlDeviceGetPowerUsage")
    reasons = _asked("nvmlDeviceGetCurrentClocksThrottleReasons")
    load = _asked("nvmlDeviceGetUtilizationRates")
    return Reading(
        power=None if power is None else float(power) / 1e3,
        power_of=None if power is None else "GPU",
        temperature=_asked("nvmlDeviceGetTemperature", 0),  # of the GPU's die
        clock=_asked("nvmlDeviceGetClockInfo", 1),  # of the multiprocessors
        gpu_load=None if load is None else float(load.gpu) / 100,
        slowed_down=None if reasons is None else bool(int(reasons) & _SLOWDOWNS),
    )


def used_megabytes() -> float | None:
    """Memory of the GPU in use by all processes, 10^6 bytes; None as above."""
    found = None if _device() is None else _asked("nvmlDeviceGetMemoryInfo")
    return None if found is None else found.used / 1e6


def _asked(name: str, *arguments: int) -> Any:
    """The answer of a function of NVML about the device; None where the board or the driver has none."""
    library = import_module("pynvml")
    try:
        return getattr(library, name)(_device(), *arguments)
    except (library.NVMLError, AttributeError):
        return None


@cache
def _device() -> object | None:
    try:
        library = import_module("pynvml")
    except ImportError:
        return None
    try:
        library.nvmlInit()
        device: object = library.nvmlDeviceGetHandleByIndex(0)
    except library.NVMLError:
        return None
    return device
