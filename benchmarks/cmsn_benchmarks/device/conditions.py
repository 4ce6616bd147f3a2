"""What makes the figures of a run worse than the machine is: said beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cmsn_benchmarks.device.kernel_files import text

_BUSY = 0.5  # of a core


def conditions(machine: Mapping[str, object], *, root: Path = Path("/")) -> tuple[str, ...]:
    """Notes on this machine now. machine: its facts. root: the file system, for tests."""
    return tuple(_notes(machine, root))


def _notes(machine: Mapping[str, object], root: Path) -> Iterator[str]:
    load, cores = _load(), os.cpu_count() or 1
    if load > _BUSY * cores:
        yield (
            f"the machine was busy before the run: a load of {load:.1f} on {cores} cores in the last minute; end other "
            "programs and measure again"
        )
    governor = machine.get("governor")
    if governor == "powersave":
        yield "the processor saves power (governor powersave); set `performance` for its full speed"
    quota = machine.get("quota_cores")
    if isinstance(quota, float):
        yield f"a container limits the run to {quota:g} cores; work beyond it waits, which shows in the p99"
    for supply in root.glob("sys/class/power_supply/*/status"):
        if text(supply) == "Discharging":
            yield "the machine runs on battery, which may slow it down; plug it in"
            return


def _load() -> float:
    """Mean number of busy threads in the last minute; 0 where the kernel does not say."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return 0.0
