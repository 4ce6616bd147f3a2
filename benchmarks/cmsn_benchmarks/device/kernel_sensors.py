"""The sensors that the kernel shows of any machine: thermal zones, hwmon, clocks, energy counters."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from cmsn_benchmarks.device.energy import EnergyCounters
from cmsn_benchmarks.device.kernel_files import finite, number, text
from cmsn_benchmarks.device.rails import module_power
from cmsn_benchmarks.device.reading import Reading

_PROCESSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")  # drivers of processors, by hwmon's names


class KernelSensors:
    """root: the file system, for tests."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._energy = EnergyCounters(root)

    def look(self) -> Reading:
        """What they say now."""
        processor = self._energy.watts()
        sources = (("module", self._module()), ("machine", self._machine()), ("processor", processor))
        power_of, power = next(((name, watts) for name, watts in sources if watts is not None), (None, None))
        temperature = _hottest(self._zones())
        return Reading(
            power=power,
            power_of=power_of,
            temperature=temperature if temperature is not None else _hottest(self._processors()),
            clock=self._clock(),
        )

    def _module(self) -> float | None:
        """Watts of a Jetson's module, from its rails."""
        rails: dict[str, float] = {}
        for label in self._root.glob("sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in*_label"):
            volts = number(label.with_name(label.name.replace("_label", "_input")))  # millivolts, milliamperes
            current = number(label.with_name(label.name.replace("in", "curr", 1).replace("_label", "_input")))
            if volts is not None and current is not None:
                rails[text(label)] = volts * current / 1e3
        return module_power(rails)

    def _machine(self) -> float | None:
        """Watts of a server whose firmware measures them (ACPI), in microwatts."""
        for chip in self._root.glob("sys/class/hwmon/hwmon*"):
            if text(chip / "name") == "power_meter":
                found = number(chip / "power1_average")
                return None if found is None else found / 1e6
        return None

    def _zones(self) -> Iterator[float | None]:
        return (number(file) for file in self._root.glob("sys/class/thermal/thermal_zone*/temp"))

    def _processors(self) -> Iterator[float | None]:
        for chip in self._root.glob("sys/class/hwmon/hwmon*"):
            if text(chip / "name") in _PROCESSORS:
                yield from (number(file) for file in chip.glob("temp*_input"))

    def _clock(self) -> float | None:
        """The mean of the cores."""
        files = self._root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
        scaled = [each / 1e3 for file in files if (each := number(file)) is not None and each > 0]
        found = scaled or list(self._stated())
        return statistics.fmean(found) if found else None

    def _stated(self) -> Iterator[float]:
        for line in text(self._root / "proc/cpuinfo").splitlines():
            name, _, value = line.partition(":")
            clock = finite(value) if name.strip() == "cpu MHz" else None
            if clock is not None:
                yield clock


def _hottest(millidegrees: Iterator[float | None]) -> float | None:
    return max((each / 1e3 for each in millidegrees if each is not None and each > 0), default=None)
