"""What `cmsn run` costs by the length of the video: CPU and wall time, and peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cmsn_benchmarks.growth.fitting import fit_growth, fit_slope
from cmsn_benchmarks.growth.series import Part, Series, by_size

START = 1 / 60  # minutes
TOLERANCE = 0.05


def run_costs(video: Path) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak megabytes of `cmsn run` on a file, in a process of its own."""
    command = [sys.executable, "-m", "cmsn_runtime", "run", str(video), "--quiet", "--csv", os.devnull]
    begin = time.perf_counter()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    if status:
        raise SystemExit(f"`cmsn run` exited with {os.waitstatus_to_exitcode(status)} on a video of {video.stem}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024 / 1e6


def measure_video(start: Path, videos: Mapping[float, Path], *, rounds: int) -> Part:
    """Each video once per round. start: a video of one second, whose cost is as good as only that of the start.

    videos: by their minutes, ascending.
    """
    sizes = (START, *videos)
    files = [start, *videos.values()]
    run_costs(start)  # compiles what is not in the cache yet
    costs = [[run_costs(video) for video in files] for _ in range(rounds)]
    cpu, wall, memory = (by_size([[cost[kind] for cost in turn] for turn in costs]) for kind in range(3))
    times = [
        Series(
            name=name,
            unit="s",
            values=values,
            growth=fit_growth(sizes, values),
            least=1 - TOLERANCE,
            most=1 + TOLERANCE,
        )
        for name, values in (("CPU time", cpu), ("wall time", wall))
    ]
    hours = [size / 60 for size in sizes[1:]]
    peak = Series(
        name="peak memory",
        unit="MB",
        values=memory,
        growth=fit_growth(sizes[1:], memory[1:], with_base=False),
        least=-TOLERANCE,
        most=TOLERANCE,
        slope=fit_slope(hours, memory[1:]),
    )
    beside = {
        "CPU seconds of the start": (statistics.median(cpu[0]),),
        "wall seconds of the start": (statistics.median(wall[0]),),
    }
    return Part(size="minutes of video", sizes=sizes, series=(*times, peak), beside=beside)
