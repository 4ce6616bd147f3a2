"""Times ways to do the same hop, in turns within one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

_ROUNDS = 5
_WARM_UP_HOPS = 6  # both sides of double-buffered states, plain and captured, and each input at least once


class Way(Protocol):
    """One way to run a hop of some cameras. name: identifies it in the results."""

    name: str

    def hop(self, turn: int) -> None:
        """Enqueue one hop on the device, with an input that depends on `turn`; need not wait for it."""
        ...

    def wait(self) -> None:
        """Wait until the device has completed all hops."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


@dataclass(slots=True)
class Timings:
    """Times of one way, in seconds. latencies: single hops, each waited for. bursts: per hop, without waits between."""

    latencies: list[float] = field(default_factory=list)
    bursts: list[float] = field(default_factory=list)

    def figures(self, *, frames: int) -> dict[str, float]:
        """Frames per second of the median burst, and milliseconds per hop. frames: number per hop, of all cameras."""
        p50, p99 = np.percentile(self.latencies, [50, 99]) * 1e3
        return {
            "frames_per_second": round(frames / float(np.median(self.bursts)), 2),
            "latency_p50_ms": round(float(p50), 4),
            "latency_p99_ms": round(float(p99), 4),
            "hops_timed": len(self.latencies),
        }


def in_turns(ways: Mapping[str, Way], *, seconds_each: float, rounds: int = _ROUNDS) -> dict[str, Timings]:
    """Time each way for about `seconds` in total, half of it hop by hop and half of it in bursts."""
    timings = {name: Timings() for name in ways}
    turns = dict.fromkeys(ways, 0)
    for way in ways.values():
        for turn in range(_WARM_UP_HOPS):
            way.hop(turn)
        way.wait()
    share = seconds_each / rounds / 2
    for _ in range(rounds):
        for name, way in ways.items():
            turns[name] = _single_hops(way, timings[name], turns[name], share)
            turns[name] = _burst(way, timings[name], turns[name], share)
    return timings


def seconds_of(action: Callable[[], object], wait: Callable[[], object], *, least: float = 0.5) -> float:
    """Median seconds per call, in bursts of several, for at least `seconds` in total."""
    action()
    wait()
    found: list[float] = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < least or len(found) < 3:
        start = time.perf_counter()
        for _ in range(4):
            action()
        wait()
        found.append((time.perf_counter() - start) / 4)
    return float(np.median(found))


def _single_hops(way: Way, timings: Timings, turn: int, seconds: float) -> int:
    end = time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        way.hop(turn)
        way.wait()
        now = time.perf_counter()
        timings.latencies.append(now - begin)
        turn += 1
        if now >= end:
            return turn


def _burst(way: Way, timings: Timings, turn: int, seconds: float) -> int:
    """Seconds per hop of a burst: as many hops as fit into the time, judged by a single one, then one wait."""
    hops = max(2, int(seconds / timings.latencies[-1]))
    begin = time.perf_counter()
    for number in range(hops):
        way.hop(turn + number)
    way.wait()
    timings.bursts.append((time.perf_counter() - begin) / hops)
    return turn + hops
