"""The extractor for one camera and for many: every way to run it, timed in turns and compared."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cmsn_benchmarks.gpu.stacks import without_paths
from cmsn_benchmarks.gpu.timing import Way, in_turns
from cmsn_export.engine_building import BuilderSettings

Tell = Callable[[str], object]

CHUNK_FRAMES = 8
_PREFIXES = {"torch": "torch", "ort": "ONNX Runtime", "tensorrt": "TensorRT"}  # part -> prefix of its ways' names


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to time. parts: the available ones of "torch", "ort" and "tensorrt". compiled: also torch.compile.

    level: TensorRT's builder optimisation level. cache: file of its measured kernels, for all engines of the run.
    """

    bundle: Path
    parts: frozenset[str]
    device: str
    seconds_each: float
    compiled: bool
    level: int | None
    cache: Path


def time_cameras(
    plan: Plan, cameras: int, *, operations: int, ceiling_tflops: float | None, tell: Tell
) -> dict[str, Any]:
    """Time every way for `cameras` cameras. operations: number per camera and hop."""
    ways = open_ways(plan, cameras, tell)
    try:
        timings = in_turns(ways, seconds_each=plan.seconds_each)
    finally:
        close_ways(ways)
    frames = CHUNK_FRAMES * cameras
    figures: dict[str, dict[str, float]] = {}
    for name, timing in timings.items():
        figures[name] = timing.figures(frames=frames)
        tflops = figures[name]["frames_per_second"] / CHUNK_FRAMES * operations / 1e12
        figures[name]["tflops"] = round(tflops, 3)
        if ceiling_tflops:
            figures[name]["share_of_ceiling"] = round(tflops / ceiling_tflops, 4)
    return {"cameras": cameras, "ways": figures, **ratios(figures)}


def ratios(figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Speed-up of the best TensorRT, and the best ONNX Runtime, over the best torch of the same run."""
    torch = _best(figures, "torch")
    found: dict[str, Any] = {}
    for part in ("tensorrt", "ort"):
        best = _best(figures, part)
        if torch is not None and best is not None:
            ratio = figures[best]["frames_per_second"] / figures[torch]["frames_per_second"]
            found[f"{part}_over_best_torch"] = round(ratio, 3)
    return found | ({} if torch is None else {"best_torch": torch})


def open_ways(plan: Plan, cameras: int, tell: Tell) -> dict[str, Way]:
    """All ways that work on this machine, by name; each that fails is reported in one line."""
    ways: dict[str, Way] = {}
    for part in sorted(plan.parts):
        try:
            for way in _OPENERS[part](plan, cameras, tell):
                ways[way.name] = way
        except Exception as error:  # out of memory, or unsupported by a library: the others are still timed
            tell(without_paths(f"{part} with {cameras} cameras: {type(error).__name__}: {error}")[:400])
    return ways


def plan_for(plan: Plan, way: str) -> Plan:
    """A plan for the stack of one way, with torch.compile only if that way is compiled."""
    part = next(part for part, prefix in _PREFIXES.items() if way.startswith(prefix))
    return replace(plan, parts=frozenset({part}), compiled="compile" in way)


def close_ways(ways: dict[str, Way]) -> None:
    """Close all ways and release their memory."""
    for way in ways.values():
        way.close()
    ways.clear()
    gc.collect()


def _torch(plan: Plan, cameras: int, tell: Tell) -> Iterator[Way]:
    from cmsn_benchmarks.gpu.torch_runs import torch_ways
    from cmsn_benchmarks.gpu.weights import torch_model

    model = torch_model(plan.bundle, device=plan.device)
    return torch_ways(model, cameras, device=plan.device, compiled=plan.compiled, tell=tell)


def _onnxruntime(plan: Plan, cameras: int, tell: Tell) -> Iterator[Way]:
    from cmsn_benchmarks.gpu.ort import OrtWay

    yield OrtWay(plan.bundle, cameras, device=plan.device)


def _tensorrt(plan: Plan, cameras: int, tell: Tell) -> Iterator[Way]:
    from cmsn_benchmarks.gpu.tensorrt_runs import tensorrt_ways

    settings = BuilderSettings(level=plan.level, timing_cache=plan.cache)
    return tensorrt_ways(plan.bundle, cameras, settings, tell=tell)


def _best(figures: dict[str, dict[str, float]], part: str) -> str | None:
    names = [name for name in figures if name.startswith(_PREFIXES[part])]
    return max(names, key=lambda name: figures[name]["frames_per_second"], default=None)


_OPENERS: dict[str, Callable[[Plan, int, Tell], Iterator[Way]]] = {
    "torch": _torch,
    "ort": _onnxruntime,
    "tensorrt": _tensorrt,
}
