"""How many live cameras one machine keeps up with, at their own rate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cmsn_benchmarks.device.figures import CameraLoad, Sustained
from cmsn_benchmarks.device.film import Film
from cmsn_benchmarks.device.fleet_load import Load, measured, resize, running
from cmsn_benchmarks.device.kernel_files import finite, text
from cmsn_benchmarks.device.scripted_bundle import ScriptedBundle
from cmsn_benchmarks.device.searching import search_most
from cmsn_runtime.live.fleet import Fleet

_MOST = 4096  # cameras: each has a process
_MEGABYTES = 150.0  # of each, at most, which keeps the search from exhausting the machine's memory
_SETTLING_SECONDS = 1.5  # after cameras have come or gone: what waited is worked off, or proves too much
_IN_TIME = 0.97  # of the rate: captures that get no processor deliver late, which is no lag of what was delivered


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """limit: of the 99th percentile, milliseconds. first: number of cameras to begin with. budget: seconds for the
    whole; no load begins that would exceed it. each: seconds in which a load is measured."""

    limit: float
    first: int
    budget: float
    each: float


def sustained(bundle: ScriptedBundle, film: Film, search: Search, progress: Callable[[str], None]) -> Sustained:
    """Search. Every camera finds actions by the script: a busy scene, so that the number holds for quiet ones too.

    Raises SourceError where the film cannot be played.
    """
    loads: list[CameraLoad] = []
    begin = time.monotonic()

    def go_on() -> bool:
        slowest = (time.monotonic() - begin) / len(loads)
        return time.monotonic() - begin + slowest <= search.budget

    with running(bundle) as fleet:

        def fits(count: int) -> bool:
            loads.append(_load(fleet, count, film, search))
            progress(f"{count} live cameras: {'keeps up' if loads[-1].fits else 'too many'}")
            return loads[-1].fits

        found = search_most(fits, first=search.first, most=most_cameras(), go_on=go_on)
    return Sustained(
        most=found.most,
        exact=found.exact,
        rate=film.rate,
        limit=search.limit,
        picture=film.picture,
        loads=tuple(loads),
    )


def most_cameras(root: Path = Path("/")) -> int:
    """As many as the free memory holds. root: the file system, for tests."""
    for line in text(root / "proc/meminfo").splitlines():
        name, _, size = line.partition(":")
        kilobytes = finite(size.removesuffix("kB")) if name == "MemAvailable" else None
        if kilobytes is not None:
            return max(1, min(_MOST, int(kilobytes * 1024 / 1e6 / _MEGABYTES)))
    return _MOST


def ending(found: Sustained, search: Search) -> str | None:
    """How far a search came that did not end by itself, and how it would; None for one that did."""
    if found.exact:
        return None
    failed = [load.cameras for load in found.loads if not load.fits]
    if failed or max(load.cameras for load in found.loads) < most_cameras():
        reach = f"between {found.most} and {min(failed)}" if failed else f"at {found.most}, which keep up"
        return (
            f"the search for live cameras ended {reach}, after {search.budget:g} s; "
            f"--search-seconds {2 * search.budget:g} takes it further"
        )
    return f"the search for live cameras ended at {found.most}, which keep up, since memory holds no more"


def camera_load(load: Load, *, rate: float, limit: float) -> CameraLoad:
    """The figures of a load. A percentile beyond the largest of LAG_BOUNDS has no bound, and is missing."""
    percentiles = {"p50": load.lag_p50, "p99": load.lag_p99}
    in_time = load.frames_per_second >= _IN_TIME * rate
    return CameraLoad(
        cameras=load.cameras,
        frame_to_event={name: 1e3 * bound for name, bound in percentiles.items() if math.isfinite(bound)},
        frames_per_second=load.frames_per_second,
        left_out=load.left_out,
        cores=load.cores,
        megabytes=round(load.megabytes + load.cameras * load.megabytes_per_capture, 1),
        fits=in_time and not load.left_out and 1e3 * load.lag_p99 <= limit,
    )


def _load(fleet: Fleet, count: int, film: Film, search: Search) -> CameraLoad:
    resize(fleet, count, str(film.path))
    time.sleep(_SETTLING_SECONDS)
    return camera_load(measured(fleet, search.each), rate=film.rate, limit=search.limit)
