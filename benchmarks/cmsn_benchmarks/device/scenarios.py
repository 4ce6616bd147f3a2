"""Single-stream and multi-stream: queries one after the other, for a fixed time.

Names and definitions are those of MLPerf Inference (rules of the scenarios, version 2.0 and later): a query is sent
when the one before it is answered; single-stream has one sample per query, and its metric is the 90th percentile of
the latency; multi-stream has 8, and its metric is the 99th. The warm-up, the least number of queries, and frames per
second over the whole time on the host's clock are as in NVIDIA's trtexec (--warmUp, --duration, --iterations,
"throughput"). MLPerf asks for 10 minutes; here a few seconds must do, which is why each figure has its count.
"""

from __future__ import annotations

import time

from cmsn_benchmarks.device.cameras import Answered, SteadyCameras
from cmsn_benchmarks.device.figures import Latency, Query, Scenario
from cmsn_benchmarks.device.latencies import latency_of
from cmsn_benchmarks.device.parts import PARTS

LEAST_QUERIES = 10
_LEAST_WARM_UP = 4  # hops: both sides of double-buffered states, and recurring work that is captured


def run_scenario(cameras: SteadyCameras, *, warm_up: float, duration: float) -> Scenario:
    """Warm up for so many seconds, then measure for so many, at least LEAST_QUERIES. Raises what the backend raises."""
    first_hop(cameras)
    _queries(cameras, seconds=warm_up, least=_LEAST_WARM_UP)
    begin = time.perf_counter()
    ended, answered = _queries(cameras, seconds=duration, least=LEAST_QUERIES)
    taken = [each.seconds for each in answered]
    return Scenario(
        cameras=cameras.count,
        latency=latency_of(taken),
        parts=_parts(answered),
        frames_per_second=len(answered) * cameras.count * cameras.frames / (ended[-1] - begin),
        queries=tuple(
            Query(at=end - seconds - begin, taken=1e3 * seconds) for end, seconds in zip(ended, taken, strict=True)
        ),
    )


def first_hop(cameras: SteadyCameras) -> None:
    """Push until the stage network has run: the first features of a stream come a few steps late."""
    while "stages" not in cameras.query().parts:
        pass


def _queries(cameras: SteadyCameras, *, seconds: float, least: int) -> tuple[list[float], list[Answered]]:
    """When each was answered (time.perf_counter()), and what it took."""
    ended: list[float] = []
    answered: list[Answered] = []
    until = time.perf_counter() + seconds
    while len(ended) < least or ended[-1] < until:
        answered.append(cameras.query())
        ended.append(time.perf_counter())
    return ended, answered


def _parts(answered: list[Answered]) -> dict[str, Latency]:
    """Of the queries that had such a part: one without candidates evaluates none."""
    times = {part: [each.parts[part] for each in answered if part in each.parts] for part in PARTS}
    return {part: latency_of(seconds) for part, seconds in times.items() if seconds}
