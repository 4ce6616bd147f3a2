"""Samples the sensors of the machine while it works: power, temperature and clock, wherever it has them."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cmsn_benchmarks.device.figures import Sensors
from cmsn_benchmarks.device.nvml import sample_gpu
from cmsn_runtime.closing import Closing

_SECONDS = 0.5
_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. Watts, degrees Celsius, megahertz; None where there is no such sensor."""

    power: float | None
    temperature: float | None
    clock: float | None
    slowed_down: bool | None


class Sampler(Closing):
    """Looks twice a second, in a thread, from its creation until it is closed: a GPU's sensors where there is one."""

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sensors", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def sensors(self) -> Sensors | None:
        """The figures so far; None where the machine shows no sensor."""
        return summary(tuple(self._samples))

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS):
            self._samples.append(sample())


def sample(root: Path = _ROOT) -> Sample:
    """The GPU's sensors, and of a Jetson or a CPU what the kernel shows. root: the file system, for tests."""
    gpu = sample_gpu()
    if gpu is not None:
        return Sample(gpu.power, gpu.temperature, gpu.clock, gpu.slowed_down)
    return Sample(_board_power(root), _temperature(root), _clock(root), None)


def summary(samples: tuple[Sample, ...]) -> Sensors | None:
    """Means and extremes of what was seen."""
    power = [each.power for each in samples if each.power is not None]
    temperature = [each.temperature for each in samples if each.temperature is not None]
    clock = [each.clock for each in samples if each.clock is not None]
    slowed = [each.slowed_down for each in samples if each.slowed_down is not None]
    if not (power or temperature or clock):
        return None
    return Sensors(
        power_mean=statistics.fmean(power) if power else None,
        power_most=max(power, default=None),
        temperature_most=max(temperature, default=None),
        clock_mean=statistics.fmean(clock) if clock else None,
        throttled=any(slowed) if slowed else None,
    )


def _board_power(root: Path) -> float | None:
    """Watts that a Jetson draws: the first channel of its INA3221, which measures the board's input."""
    for chip in sorted(root.glob("sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*")):
        values = [_number(chip / name) for name in ("in1_input", "curr1_input")]  # millivolts, milliamperes
        if values[0] is not None and values[1] is not None:
            return values[0] * values[1] / 1e6
    return None


def _temperature(root: Path) -> float | None:
    """The hottest zone."""
    zones = (_number(file) for file in root.glob("sys/class/thermal/thermal_zone*/temp"))
    return max((zone / 1e3 for zone in zones if zone is not None and zone > 0), default=None)


def _clock(root: Path) -> float | None:
    """The mean of the cores."""
    frequencies = list(_frequencies(root))
    return statistics.fmean(frequencies) if frequencies else None


def _frequencies(root: Path) -> Iterator[float]:
    files = sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
    for file in files:
        found = _number(file)
        if found is not None:
            yield found / 1e3
    if not files:
        with suppress(OSError, ValueError):
            for line in (root / "proc/cpuinfo").read_text().splitlines():
                if line.startswith("cpu MHz"):
                    yield float(line.rpartition(":")[2])


def _number(file: Path) -> float | None:
    try:
        return float(file.read_text())
    except (OSError, ValueError):  # no such sensor, or it cannot be read now
        return None
