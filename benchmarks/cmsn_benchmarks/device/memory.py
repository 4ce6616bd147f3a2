"""Memory of this process, on the host and on a GPU."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cmsn_benchmarks.device.figures import Memory
from cmsn_benchmarks.device.kernel_files import text
from cmsn_benchmarks.device.nvml import used_megabytes
from cmsn_benchmarks.device.processes import megabytes


def memory_now(*, device_before: float | None, root: Path = Path("/")) -> Memory:
    """What this process uses now, and the most that it has used so far.

    device_before: `nvml.used_megabytes` before it used the GPU. What other programs began to use meanwhile counts as
    its own: containers hide whose memory it is. root: the file system, for tests.
    """
    used, host = used_megabytes(), megabytes(os.getpid())
    device = None if used is None or device_before is None else max(0.0, used - device_before)
    # The kernel counts the peak with less care than what is there now, and may be some pages behind.
    return Memory(host=host, host_peak=max(host, _peak(root)), device=device)


def _peak(root: Path) -> float:
    """Of this program alone: `getrusage` includes what the process was before it was replaced by it.

    0 where the kernel does not count it, as in some sandboxes.
    """
    lines = text(root / "proc/self/status").splitlines()
    found = next((line.split()[1] for line in lines if re.fullmatch(r"VmHWM:\s+\d+ kB", line)), "0")
    return int(found) * 1024 / 1e6
