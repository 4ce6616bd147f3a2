"""The measurements of one backend, one after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Protocol

from cmsn_benchmarks.device.caches import cached_files
from cmsn_benchmarks.device.cameras import SteadyCameras
from cmsn_benchmarks.device.child_settings import ChildSettings
from cmsn_benchmarks.device.decoding import measure_decoding
from cmsn_benchmarks.device.figures import FirstResult, Scenario
from cmsn_benchmarks.device.film import described, made_film
from cmsn_benchmarks.device.live_cameras import Search, ending, sustained
from cmsn_benchmarks.device.memory import memory_now
from cmsn_benchmarks.device.nvml import used_megabytes
from cmsn_benchmarks.device.roofline import measure_roofline
from cmsn_benchmarks.device.scenarios import first_hop, run_scenario
from cmsn_benchmarks.device.scripted_bundle import ScriptedBundle
from cmsn_benchmarks.device.sensors import Sampler
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.backends.openvino.self_check import feature_error
from cmsn_runtime.backends.ports import one_line
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import CmsnError
from cmsn_runtime.manifest.quality import Quality


class Teller(Protocol):
    """Gets fields of BackendFigures as soon as they are known."""

    def __call__(self, **fields: object) -> None: ...


def quality_of(bundle: Bundle) -> Quality | None:
    """What the manifest says that the variant costs which the backend runs."""
    arithmetic = getattr(bundle.backend, "arithmetic", None)
    variant = bundle.manifest.variants.get(arithmetic.variant) if isinstance(arithmetic, Arithmetic) else None
    return None if variant is None else variant.quality


def measure(settings: ChildSettings, *, started: float, tell: Teller, progress: Callable[[str], None]) -> None:
    """Everything that was asked for. started: time.monotonic() of the begin of this process. Raises CmsnError."""
    caches, device_before = cached_files(), used_megabytes()
    with opened(settings) as bundle, Sampler() as sampler:
        opened_at = time.monotonic()
        tell(backend=bundle.backend.name, name=bundle.backend_name, quality=quality_of(bundle))
        progress(f"{settings.backend}: {bundle.backend.name}")
        scripted = ScriptedBundle(bundle)
        single: Scenario | None = None
        multi: Scenario | None = None
        with SteadyCameras(scripted, 1) as camera:
            warm_at = time.monotonic()
            first_hop(camera)
            ended = time.monotonic()
            tell(
                first_result=FirstResult(
                    start=started - settings.begun,
                    opening=opened_at - started,
                    warming=warm_at - opened_at,
                    first_hop=ended - warm_at,
                    total=ended - settings.begun,
                    cold=bool(cached_files() - caches),
                )
            )
            if "single-stream" in settings.measure:
                progress(f"{settings.backend}: single-stream, {settings.bench.duration:g} s")
                single = run_scenario(camera, **timing(settings))
                tell(single_stream=single)
        tell(memory=memory_now(device_before=device_before))
        if "multi-stream" in settings.measure:
            progress(
                f"{settings.backend}: multi-stream, {settings.bench.cameras} cameras, {settings.bench.duration:g} s"
            )
            with SteadyCameras(scripted, settings.bench.cameras) as cameras:
                multi = run_scenario(cameras, **timing(settings))
                tell(multi_stream=multi)
        if "roofline" in settings.measure:  # after the memory: counting loads the networks once more
            progress(f"{settings.backend}: roofline")
            tell(**shares(bundle, single, scripted.scripted.candidates))
        tell(error=error_of(bundle, settings))
        if "cameras" in settings.measure:
            search = search_for(settings, multi or single, rate=float(bundle.grid.fps))
            progress(f"{settings.backend}: live cameras, by search, {search.budget:g} s")
            tell(**kept_up(scripted, settings, search, tell, progress))
        tell(sensors=sampler.sensors())


def kept_up(
    scripted: ScriptedBundle, settings: ChildSettings, search: Search, tell: Teller, progress: Callable[[str], None]
) -> dict[str, object]:
    """The live cameras and what their frames cost before a hop, or a note that says why there are none."""
    if scripted.takes_features:
        return {"notes": ["no live cameras: this bundle takes feature rows"]}
    try:
        film = described(Path(settings.film)) if settings.film else made_film(settings.picture)
        tell(decoding=measure_decoding(film, scripted.preprocessing))
        found = sustained(scripted, film, search, progress)
        note = ending(found, search)
        return {"sustained": found, "notes": [] if note is None else [note]}
    except CmsnError as error:
        return {"notes": [f"no live cameras: {error}"]}


def search_for(settings: ChildSettings, scenario: Scenario | None, *, rate: float) -> Search:
    """Begin with a fifth of the cameras whose networks alone would take all of the machine."""
    first = 4 if scenario is None else int(scenario.frames_per_second / rate / 5)
    return Search(limit=settings.bench.limit, first=max(1, first), budget=settings.search, each=settings.search / 8)


def error_of(bundle: Bundle, settings: ChildSettings) -> float | None:
    """Of features against ONNX Runtime in FP32 on the CPU; None where it is that itself, or where they overflow."""
    if bundle.backend.name.startswith("ONNX Runtime") and "CPU" in bundle.backend.name:
        return None
    with open_bundle(settings.bundle, backend="onnxruntime") as reference:
        found = feature_error(bundle.backend, reference.backend, bundle.manifest)
    return found if math.isfinite(found) else None


def shares(bundle: Bundle, single: Scenario | None, candidates: Sequence[int]) -> dict[str, object]:
    """The roofline, or a note that says why there is none: no fault of it may cost the other figures.

    single: the scenario whose parts are compared. candidates: number of proposals of each evaluation in it.
    """
    try:
        usual = round(median(candidates)) if candidates else 1
        return {"roofline": measure_roofline(bundle, {} if single is None else single.parts, proposals=usual)}
    except CmsnError as error:
        return {"notes": [f"no roofline: {error}"]}
    except Exception as error:  # whatever a library raises
        return {"notes": [f"no roofline: {type(error).__name__}: {one_line(error)}"]}


def opened(settings: ChildSettings) -> Bundle:
    """The bundle on the backend. Raises CmsnError."""
    return open_bundle(
        settings.bundle,
        backend=settings.backend,
        threads=settings.bench.threads,
        engines=None if settings.engines is None else Path(settings.engines),
    )


def timing(settings: ChildSettings) -> dict[str, float]:
    """That of each scenario."""
    return {"warm_up": settings.bench.warm_up, "duration": settings.bench.duration}
