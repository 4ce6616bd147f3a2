"""Reports of `cmsn bench` with figures that nothing measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cmsn_benchmarks.device.figures import (
    FORMAT,
    BackendFigures,
    BenchReport,
    BenchSettings,
    Bound,
    BundleFacts,
    CameraLoad,
    Ceilings,
    FirstResult,
    Latency,
    Limit,
    Memory,
    ProductCeiling,
    Query,
    Roofline,
    Scenario,
    Sensors,
    Sustained,
)
from cmsn_runtime.live.status import LAG_BOUNDS

HOP_FRAMES = 8
RATE = 25.0
LIMIT = 500.0
# Parts of the time of a hop.
_SHARES = {"prepare": 0.08, "extract": 0.62, "stages": 0.17, "propose": 0.03, "evaluate": 0.07, "rank": 0.03}
_ROOFS: dict[str, tuple[float, Bound]] = {
    "extractor": (0.71, "compute"),
    "stages": (0.22, "memory"),
    "evaluator": (0.05, "memory"),
    "whole": (0.52, "compute"),
}


def latency(taken: Sequence[float]) -> Latency:
    """Milliseconds -> their summary, percentiles of the nearest rank."""
    ordered = sorted(taken)

    def rank(percent: int) -> float:
        return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]

    return Latency(
        count=len(ordered),
        mean=sum(ordered) / len(ordered),
        least=ordered[0],
        p50=rank(50),
        p90=rank(90),
        p95=rank(95),
        p99=rank(99),
        most=ordered[-1],
    )


def scenario(taken: Sequence[float], *, cameras: int = 1) -> Scenario:
    """A scenario whose queries took so many milliseconds."""
    begun = np.concatenate([[0.0], np.cumsum(taken)[:-1]]) / 1000
    return Scenario(
        cameras=cameras,
        latency=latency(taken),
        parts={name: latency([each * share for each in taken]) for name, share in _SHARES.items()},
        frames_per_second=cameras * HOP_FRAMES * len(taken) / (sum(taken) / 1000),
        queries=tuple(Query(at=float(at), taken=each) for at, each in zip(begun, taken, strict=True)),
    )


def hops(milliseconds: float, *, count: int = 1000, seed: int = 0, hiccup: float = 8.0) -> list[float]:
    """Latencies about a median, skewed as they are, with a hiccup of so many medians in two of a hundred."""
    random = np.random.default_rng(seed)
    taken = milliseconds * random.lognormal(0.0, 0.12, count)
    taken[random.random(count) < 0.02] *= random.uniform(2, hiccup)
    return [float(each) for each in taken]


def loads(most: int) -> tuple[CameraLoad, ...]:
    """What a search tried that found `most` cameras."""
    tried = sorted({1, max(most // 2, 1), max(most, 1), most + 1})
    return tuple(_load(cameras, fits=cameras <= most) for cameras in tried)


def _load(cameras: int, *, fits: bool) -> CameraLoad:
    bounds: list[float | None] = [bound * 1000 for bound in LAG_BOUNDS]
    return CameraLoad(
        cameras=cameras,
        frame_to_event={"p50": bounds[2], "p90": bounds[3], "p95": bounds[4], "p99": bounds[4] if fits else None},
        frames_per_second=cameras * RATE if fits else cameras * RATE * 0.7,
        left_out=0 if fits else 90,
        cores=min(0.15 * cameras, 2.0),
        megabytes=90.0 + 40 * cameras,
        fits=fits,
    )


def _limit(share: float, bound: Bound) -> Limit:
    return Limit(
        operations={"fp32": 4.1e8},
        nbytes=3e6,
        seconds=0.005,
        least_seconds=0.005 * share,
        share=share,
        bound=bound,
    )


def backend(
    name: str = "onnxruntime", *, milliseconds: float = 6.0, seed: int = 0, most: int = 12, count: int = 1000
) -> BackendFigures:
    """Everything that can be measured of a backend whose hops take about so long."""
    return BackendFigures(
        asked=name,
        backend=name,
        error=None if name == "onnxruntime" else 4e-3,
        first_result=FirstResult(start=0.31, opening=0.05, warming=0.22, first_hop=0.01, total=0.59, cold=False),
        single_stream=scenario(hops(milliseconds, count=count, seed=seed)),
        multi_stream=scenario(hops(milliseconds * 3.9, count=max(count // 4, 1), seed=seed + 1), cameras=4),
        sustained=Sustained(most=most, exact=True, rate=RATE, limit=LIMIT, picture="640x480 H.264", loads=loads(most)),
        memory=Memory(host=131.0, host_peak=164.0),
        roofline=Roofline(
            ceilings=Ceilings(
                products={"fp32": ProductCeiling(by="numpy", operations_per_second=1.1e11, side=1024)},
                bytes_per_second=1.4e10,
                threads=2,
            ),
            networks={name: _limit(share, bound) for name, (share, bound) in _ROOFS.items()},
        ),
    )


def gpu_backend(name: str = "tensorrt", *, milliseconds: float = 1.1) -> BackendFigures:
    """One with what only a GPU has: its memory, and sensors that report throttling."""
    return replace(
        backend(name, milliseconds=milliseconds, most=48),
        memory=Memory(host=310.0, host_peak=402.0, device=288.0),
        sensors=Sensors(power_mean=11.2, power_most=14.9, temperature_most=71.0, clock_mean=1173.0, throttled=True),
    )


def report(*backends: BackendFigures, notes: tuple[str, ...] = ()) -> BenchReport:
    """A report of these backends, by default one."""
    return BenchReport(
        format=FORMAT,
        cmsn="0.1.0",
        began="2026-11-27T10:00:00+00:00",
        command="cmsn bench demo --backend onnxruntime",
        machine={
            "gpu": {},
            "processor": "AMD EPYC",
            "cores": 2,
            "system": "Linux",
            "python": "3.11.7",
            "libraries": {"onnxruntime": "1.32.0", "openvino": "2026.4.1", "numpy": "2.4.6"},
        },
        bundle=BundleFacts(
            name="demo",
            sha256="a" * 64,
            width=0.125,
            input_shape=(112, 112, 3),
            rate=RATE,
            hop_frames=HOP_FRAMES,
        ),
        settings=BenchSettings(warm_up=1.0, duration=5.0, cameras=4, limit=LIMIT, threads=None),
        backends=backends or (backend(),),
        notes=notes,
    )
