"""Reads the lines of tegrastats, NVIDIA's program for the sensors of a Jetson, from JetPack 4 to 7.

A library is not used: jetson-stats needs a service that root installs, and a benchmark must not. The statistics are
documented in NVIDIA's "Jetson Linux Developer Guide", "tegrastats Utility".
"""

from __future__ import annotations

import re

from cmsn_benchmarks.device.rails import module_power
from cmsn_benchmarks.device.reading import Reading

_RAM = re.compile(r"\bRAM (\d{1,9})/\d+MB")
# "GR3D_FREQ 48%", "0%@76", "0%@[305]", "0%@[1300,1300]" (a clock per cluster) and "@[1000,1000,1000]" without a load.
_GPU = re.compile(r"\bGR3D_FREQ (?:(\d{1,3})%)?(?:@\[?(\d{1,6})\b)?")
# "GPU@41C", "cpu@46.531C" and "cpu@52.968C/52.968C": now, and the mean so far.
_TEMPERATURE = re.compile(r"\b(\w+)@(-?\d{1,3}(?:\.\d+)?)C\b")
# "VDD_IN 3040/3040" and "VDD_IN 4320mW/4320mW": now, and the mean so far, both in milliwatts.
_RAIL = re.compile(r"\b([A-Z][A-Z0-9_]*) (\d{1,7})(?:mW)?/\d{1,7}(?:mW)?(?=\s|$)")
_NO_SENSOR = "PMIC"  # a constant in its place


def reading_of(line: str) -> Reading:
    """A line -> what it says; nothing of a line that is none of tegrastats'."""
    ram = _RAM.search(line)
    load, clock = found.groups() if (found := _GPU.search(line)) else (None, None)
    power = module_power({name: float(now) for name, now in _RAIL.findall(line)})
    degrees = [float(now) for name, now in _TEMPERATURE.findall(line) if name != _NO_SENSOR]
    return Reading(
        power=power,
        power_of=None if power is None else "module",
        temperature=max((each for each in degrees if each > 0), default=None),  # -256 is a part that is switched off
        clock=float(clock) if clock and int(clock) > 0 else None,
        gpu_load=int(load) / 100 if load else None,
        memory=int(ram[1]) * 2**20 / 1e6 if ram else None,
    )
