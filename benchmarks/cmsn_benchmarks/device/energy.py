"""Power of the processor from its energy counters (RAPL), where the kernel lets this user read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cmsn_benchmarks.device.kernel_files import number, text


class EnergyCounters:
    """Watts between two looks. root: the file system, for tests. clock: seconds, for tests.

    Only packages count: their cores and caches are parts of them. Most kernels let only root read the counters.
    """

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._packages = [
            folder
            for folder in sorted(root.glob("sys/class/powercap/intel-rapl:*"))
            if folder.name.count(":") == 1 and text(folder / "name").startswith("package")
        ]
        self._at = clock()
        self._before = [number(folder / "energy_uj") for folder in self._packages]

    def watts(self) -> float | None:
        """The mean since the look before; None where there is no counter or one cannot be read."""
        now, at = [number(folder / "energy_uj") for folder in self._packages], self._clock()
        spent = [
            self._spent(folder, before, after)
            for folder, before, after in zip(self._packages, self._before, now, strict=True)
        ]
        passed, self._before, self._at = at - self._at, now, at
        known = [each for each in spent if each is not None]
        return sum(known) / 1e6 / passed if known and len(known) == len(spent) and passed > 0 else None

    @staticmethod
    def _spent(folder: Path, before: float | None, after: float | None) -> float | None:
        """Microjoules; a counter begins again at its range."""
        if before is None or after is None:
            return None
        if after >= before:
            return after - before
        reach = number(folder / "max_energy_range_uj")
        return None if reach is None else after + reach - before
