"""Samples the sensors of the machine while it works, wherever it has them."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Sequence
from pathlib import Path

from cmsn_benchmarks.device.figures import Sensors
from cmsn_benchmarks.device.kernel_sensors import KernelSensors
from cmsn_benchmarks.device.nvml import sample_gpu
from cmsn_benchmarks.device.reading import Reading, first_of
from cmsn_benchmarks.device.tegrastats_process import Tegrastats
from cmsn_runtime.closing import Closing

SECONDS = 0.5  # between two looks
_ROOT = Path("/")


class Sampler(Closing):
    """Looks in a thread from its creation until it is closed: by NVML, by tegrastats, and at what the kernel shows.

    root: the file system, for tests. seconds: between two looks.
    """

    def __init__(self, *, root: Path = _ROOT, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._readings: list[Reading] = []
        self._ended = threading.Event()
        self._kernel = KernelSensors(root)
        self._board = Tegrastats(round(1e3 * seconds))
        self._thread = threading.Thread(target=self._run, name="sensors", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and what it started."""
        self._ended.set()
        self._thread.join()
        self._board.close()

    def sensors(self) -> Sensors | None:
        """The figures so far; None where the machine shows no sensor."""
        return summary(tuple(self._readings))

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            board = self._board.latest()
            if board is None and self._board.running:
                continue  # its first line is to come: figures of another kind must not be mixed with its own
            self._readings.append(first_of(sample_gpu() or Reading(), board or Reading(), self._kernel.look()))


def summary(readings: Sequence[Reading]) -> Sensors | None:
    """Means and extremes of what was seen."""
    power = [each.power for each in readings if each.power is not None]
    temperature = [each.temperature for each in readings if each.temperature is not None]
    clock = [each.clock for each in readings if each.clock is not None]
    load = [each.gpu_load for each in readings if each.gpu_load is not None]
    memory = [each.memory for each in readings if each.memory is not None]
    slowed = [each.slowed_down for each in readings if each.slowed_down is not None]
    if not (power or temperature or clock or load or memory):
        return None
    return Sensors(
        power_mean=statistics.fmean(power) if power else None,
        power_most=max(power, default=None),
        power_of=next((each.power_of for each in readings if each.power_of is not None), None),
        temperature_most=max(temperature, default=None),
        clock_mean=statistics.fmean(clock) if clock else None,
        gpu_load_mean=statistics.fmean(load) if load else None,
        memory_most=max(memory, default=None),
        throttled=any(slowed) if slowed else None,
    )
