"""Memory of this process, on the host and on a GPU."""

from __future__ import annotations

import os
import resource

from cmsn_benchmarks.device.figures import Memory
from cmsn_benchmarks.device.nvml import used_megabytes
from cmsn_benchmarks.device.processes import megabytes


def memory_now(*, device_before: float | None) -> Memory:
    """What this process uses now, and the most that it has used so far.

    device_before: `nvml.used_megabytes` before it used the GPU. What other programs began to use meanwhile counts as
    its own: containers hide whose memory it is.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux gives KiB
    used = used_megabytes()
    device = None if used is None or device_before is None else max(0.0, used - device_before)
    return Memory(host=megabytes(os.getpid()), host_peak=peak, device=device)
