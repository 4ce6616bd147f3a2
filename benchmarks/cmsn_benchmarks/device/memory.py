"""Memory of this process, on the host and on a GPU."""

from __future__ import annotations

import os
from pathlib import Path

from cmsn_benchmarks.device.figures import Memory
from cmsn_benchmarks.device.nvml import used_megabytes
from cmsn_benchmarks.device.processes import megabytes


def memory_now(*, device_before: float | None) -> Memory:
    """What this process uses now, and the most that it has used so far.

    device_before: `nvml.used_megabytes` before it used the GPU. What other programs began to use meanwhile counts as
    its own: containers hide whose memory it is.
    """
    used, host = used_megabytes(), megabytes(os.getpid())
    device = None if used is None or device_before is None else max(0.0, used - device_before)
    # The kernel counts the peak with less care than what is there now, and may be some pages behind.
    return Memory(host=host, host_peak=max(host, _peak()), device=device)


def _peak() -> float:
    """Of this program alone: `getrusage` includes what the process was before it was replaced by it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
