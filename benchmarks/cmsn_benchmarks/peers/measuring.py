"""Opens every peer, checks its features, and times those that compute the same, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cmsn_benchmarks.gpu.stacks import without_paths
from cmsn_benchmarks.peers.way import LIMITS, Peer, Way, Work, relative_error

Times = list[tuple[float, float]]  # (wall, CPU) seconds per new frame, of each round


@dataclass(frozen=True, slots=True)
class Opened:
    """A peer that computes the same. error: see `relative_error`. seconds: to open and check it, compiling included."""

    peer: Peer
    way: Way
    error: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """By name. left_out: why the others are not measured."""

    opened: Mapping[str, Opened]
    left_out: Mapping[str, str]


@contextmanager
def opened_peers(peers: Sequence[Peer], work: Work, tell: Callable[[str], object]) -> Iterator[Found]:
    """All that can be opened and compute the same; closed at the end."""
    opened: dict[str, Opened] = {}
    left_out: dict[str, str] = {}
    try:
        for peer in peers:
            try:
                opened[peer.name] = _checked(peer, work)
                tell(f"{peer.name}: error {opened[peer.name].error:.1e}, {opened[peer.name].seconds:.1f} s to open")
            except Exception as error:  # a library that is missing, a compiler that fails: the others are still timed
                left_out[peer.name] = without_paths(f"{error or type(error).__name__}")[:400]
                tell(f"{peer.name} is left out: {left_out[peer.name]}")
        yield Found(opened, left_out)
    finally:
        for each in opened.values():
            each.way.close()


def in_turns(
    found: Mapping[str, Opened], *, rounds: int, seconds: float, tell: Callable[[str], object]
) -> dict[str, Times]:
    """Each is called for so many seconds a round, at least once."""
    times: dict[str, Times] = {name: [] for name in found}
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        for name, each in found.items():
            times[name].append(_turn(each.way, seconds))
    return times


def _checked(peer: Peer, work: Work) -> Opened:
    begin = time.perf_counter()
    way = peer.open(work)
    error, limit = relative_error(way, work), LIMITS[peer.precision]
    if error > limit:
        way.close()
        raise ValueError(f"its features differ from torch's in FP32 by {error:.1e}; at most {limit:.0e} is allowed")
    return Opened(peer, way, error, time.perf_counter() - begin)


def _turn(way: Way, seconds: float) -> tuple[float, float]:
    wall, cpu, calls = time.perf_counter(), time.process_time(), 0
    while not calls or time.perf_counter() - wall < seconds:
        way.call()
        calls += 1
    frames = calls * way.frames
    return (time.perf_counter() - wall) / frames, (time.process_time() - cpu) / frames
