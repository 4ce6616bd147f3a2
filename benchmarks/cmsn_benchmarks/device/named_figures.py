"""The figures of a backend by name: for rows of a table, limits of the command line, and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cmsn_benchmarks.device.figures import BackendFigures
from cmsn_benchmarks.device.parts import PARTS
from cmsn_benchmarks.device.wording import Unit

Better = Literal["lower", "higher"]
# What a figure belongs to where a name alone does not say so: both scenarios have a p99.
ScenarioName = Literal["single", "multi"]

# The percentile that MLPerf Inference reports of each scenario.
_RESULTS: dict[ScenarioName, str] = {"single": "p90", "multi": "p99"}
RESULT_MARK = " *"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFigure:
    """One figure. name: on the command line; empty for one that no limit can be set to. path: of attributes from
    BackendFigures, and of keys of its mappings. better: None where neither more nor less is."""

    label: str
    path: str
    unit: Unit
    name: str = ""
    scenario: ScenarioName | None = None
    better: Better | None = None

    def of(self, backend: BackendFigures) -> float | None:
        """Its value; None where it was not measured."""
        value: object = backend
        for step in self.path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else getattr(value, step)
            if value is None:
                return None
        return float(value)  # type: ignore[arg-type]  # what `path` leads to is a number

    def __str__(self) -> str:
        """Its label, with the scenario where there is one, for a message."""
        kind = "" if self.scenario is None else f" of the {self.scenario}-stream scenario"
        return self.label.removesuffix(RESULT_MARK) + kind


def _scenario(scenario: ScenarioName) -> tuple[NamedFigure, ...]:
    percentiles = [
        NamedFigure(
            name=name,
            label=f"latency {name}{RESULT_MARK if name == _RESULTS[scenario] else ''}",
            path=f"{scenario}_stream.latency.{name}",
            unit="ms",
            scenario=scenario,
            better="lower",
        )
        for name in ("p50", "p90", "p95", "p99")
    ]
    frames = NamedFigure(
        name="fps",
        label="frames per second",
        path=f"{scenario}_stream.frames_per_second",
        unit="fps",
        scenario=scenario,
        better="higher",
    )
    return (*percentiles, frames)


SINGLE_STREAM = _scenario("single")
MULTI_STREAM = _scenario("multi")
CAMERAS = NamedFigure(name="cameras", label="cameras sustained", path="sustained.most", unit="cameras", better="higher")
FIRST_RESULT = (
    NamedFigure(label="process and imports", path="first_result.start", unit="s"),
    NamedFigure(label="opening the bundle", path="first_result.opening", unit="s"),
    NamedFigure(label="warm-up", path="first_result.warming", unit="s"),
    NamedFigure(label="first hop", path="first_result.first_hop", unit="s"),
    NamedFigure(name="first_result", label="time to first result", path="first_result.total", unit="s", better="lower"),
)
DECODING = tuple(
    NamedFigure(label=f"{part} p50, of a frame", path=f"decoding.{part}.p50", unit="ms", better="lower")
    for part in ("decode", "convert", "flow")
)
MEMORY = (
    NamedFigure(label="memory of the process", path="memory.host", unit="MB"),
    NamedFigure(name="memory", label="memory of the process, peak", path="memory.host_peak", unit="MB", better="lower"),
    NamedFigure(name="gpu_memory", label="memory of the GPU", path="memory.device", unit="MB", better="lower"),
)
SENSORS = (
    NamedFigure(label="power, mean", path="sensors.power_mean", unit="W"),
    NamedFigure(label="power, at most", path="sensors.power_most", unit="W"),
    NamedFigure(label="temperature, at most", path="sensors.temperature_most", unit="°C"),
    NamedFigure(label="clock, mean", path="sensors.clock_mean", unit="MHz"),
    NamedFigure(label="load of the GPU, mean", path="sensors.gpu_load_mean", unit="share"),
    NamedFigure(label="memory of the machine in use, at most", path="sensors.memory_most", unit="MB"),
)
ROOFLINE_SHARE = NamedFigure(
    label="share of the roofline", path="roofline.networks.whole.share", unit="share", better="higher"
)


def part_figures() -> tuple[NamedFigure, ...]:
    """The median of each part of a hop of one camera, and of what a frame costs before."""
    return DECODING + tuple(
        NamedFigure(label=f"{part} p50", path=f"single_stream.parts.{part}.p50", unit="ms", better="lower")
        for part in PARTS
    )
