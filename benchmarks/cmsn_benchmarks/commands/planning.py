"""From the options of `cmsn bench` to the settings of its run."""

from __future__ import annotations

from dataclasses import dataclass

from cmsn_benchmarks.commands.options import MeasureChoice
from cmsn_benchmarks.device.child_settings import MEASUREMENTS, ChildSettings
from cmsn_benchmarks.device.figures import BenchSettings
from cmsn_benchmarks.device.running import Run


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of each scenario, of its warm-up, and of the search for cameras."""

    duration: float
    warm_up: float
    search: float


_USUAL = _Times(duration=5.0, warm_up=1.0, search=25.0)
_QUICK = _Times(duration=1.0, warm_up=0.3, search=8.0)


def plan(bundle: str, choice: MeasureChoice, *, command: str) -> Run:
    """The run that the options describe."""
    usual = _QUICK if choice.quick else _USUAL
    settings = ChildSettings(
        bundle=bundle,
        backend="",
        engines=None if choice.engines is None else str(choice.engines),
        measure=tuple(name for name in MEASUREMENTS if name in choice.measure),
        film="" if choice.film is None else str(choice.film),
        picture=choice.picture,
        search=choice.search_seconds or usual.search,
        begun=0.0,
        bench=BenchSettings(
            warm_up=choice.warm_up or usual.warm_up,
            duration=choice.seconds or usual.duration,
            cameras=choice.cameras,
            limit=choice.limit,
            threads=choice.threads,
        ),
    )
    return Run(command, choice.backend, settings)
