"""What a child process measures: its standard input, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cmsn_benchmarks.device.figures import BenchSettings

Measurement: TypeAlias = Literal["single-stream", "multi-stream", "cameras", "roofline"]
MEASUREMENTS: tuple[Measurement, ...] = get_args(Measurement)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSettings:
    """One backend on one bundle.

    bundle: name or folder. backend: as asked for. engines: folder, None for the user's own. measure: in any order.
    film: a file that each camera films; empty for one that is made, of the size `picture` (width, height).
    search: seconds that the search for cameras may take. begun: time.monotonic() of the parent at the start of the
    process; Linux counts it for the whole machine.
    """

    bundle: str
    backend: str
    engines: str | None
    measure: tuple[Measurement, ...]
    film: str
    picture: tuple[int, int]
    search: float
    begun: float
    bench: BenchSettings
