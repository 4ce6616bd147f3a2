"""Times the post-processing of one hop: compiled kernels against vectorised NumPy and plain Python.

    python -m cmsn_benchmarks.speed.postprocessing [--json OUT] [--repeats N]

From stage probabilities to Soft-NMS, the evaluation subnet's scores given. The three take turns within one
run on windows of 96 steps without Background; the results are the medians and, above all, their ratios.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from cmsn_benchmarks.references import plain as reference_plain
from cmsn_benchmarks.references import vectorised as reference_numpy
from cmsn_runtime.proposing import pipeline
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.stages import STAGE_COUNT, Stage

STEPS = 96
RANDOM_WINDOWS = 5

_DEFAULT = ProposalSettings()
# No span falls below the minimum score: suppression continues until it has kept the maximum number.
_FULL_LIST = ProposalSettings(min_score=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One kind of window: stages int8 [96] each, and the settings it is post-processed with."""

    name: str
    windows: list[npt.NDArray[np.int8]]
    settings: ProposalSettings


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians of one case, in milliseconds per hop; candidates and kept proposals are medians too."""

    case: str
    candidates: float
    kept: float
    numba_ms: float
    numpy_ms: float
    plain_ms: float

    @property
    def over_numpy(self) -> float:
        """Speed-up over NumPy."""
        return self.numpy_ms / self.numba_ms

    @property
    def over_plain(self) -> float:
        """Speed-up over plain Python."""
        return self.plain_ms / self.numba_ms


def ordered_window() -> npt.NDArray[np.int8]:
    """The well-ordered window with the most candidates: two actions with 23 starts and 23 ends each.

    A boundary reaches 11 steps in each direction (decay 0.09), so no action has more, and three do not fit.
    """
    parts = {Stage.READY: 12, Stage.START: 6, Stage.CONFIRM: 12, Stage.END: 6, Stage.FOLLOW: 12}
    action = np.repeat(list(parts), list(parts.values()))
    return np.tile(action, 2).astype(np.int8)


def random_window(seed: int) -> npt.NDArray[np.int8]:
    """Stages in any order, none of them Background: many short sequences."""
    return np.random.default_rng(seed).integers(1, STAGE_COUNT, STEPS).astype(np.int8)


def uncut_window(seed: int) -> npt.NDArray[np.int8]:
    """Stages in any order that never go from End or Follow to Ready or Start: one sequence of 96 steps."""
    rng = np.random.default_rng(seed)
    stages = [int(rng.integers(1, STAGE_COUNT))]
    while len(stages) < STEPS:
        allowed = range(Stage.CONFIRM if stages[-1] >= Stage.END else Stage.READY, STAGE_COUNT)
        stages.append(int(rng.choice(allowed)))
    return np.array(stages, np.int8)


def cases() -> list[Case]:
    """The cases to time."""
    seeds = range(RANDOM_WINDOWS)
    return [
        Case("ordered", [ordered_window()], _DEFAULT),
        Case("ordered, 100 kept", [ordered_window()], _FULL_LIST),
        Case("random order", [random_window(seed) for seed in seeds], _DEFAULT),
        Case("random, never cut", [uncut_window(seed) for seed in seeds], _DEFAULT),
    ]


def probabilities_of(stages: npt.NDArray[np.int8], seed: int = 0) -> npt.NDArray[np.float32]:
    """Float32 [n, 6] probabilities that decode to these stages."""
    logits = np.random.default_rng(seed).random((len(stages), STAGE_COUNT))
    logits[np.arange(len(stages)), stages] += 1.0
    probabilities = logits / logits.sum(axis=1, keepdims=True)
    return np.asarray(probabilities, np.float32)


def measure(case: Case, repeats: int) -> Timing:
    """Time the three in turn, for `repeats` rounds over the case's windows."""
    timings: dict[str, list[float]] = {"numba": [], "numpy": [], "plain": []}
    candidates, kept = [], []
    for seed, stages in enumerate(case.windows):
        hops = _hops(probabilities_of(stages, seed), case.settings, seed)
        found, ranked = hops["numba"]()
        candidates.append(len(found.starts))
        kept.append(len(ranked.starts))
        for _ in range(repeats):
            for name, hop in hops.items():
                began = time.perf_counter()
                hop()
                timings[name].append(time.perf_counter() - began)
    return Timing(
        case.name,
        statistics.median(candidates),
        statistics.median(kept),
        *(1000 * statistics.median(timings[name]) for name in ("numba", "numpy", "plain")),
    )


_Hop = Callable[
    [],
    tuple[pipeline.Candidates, pipeline.Ranked] | tuple[reference_plain.PlainCandidates, reference_plain.PlainRanked],
]


def _hops(probabilities: npt.NDArray[np.float32], settings: ProposalSettings, seed: int) -> dict[str, _Hop]:
    """The three versions of one hop, each with inputs in its preferred form."""
    count = len(pipeline.propose(probabilities, frontier=0, settings=settings).starts)
    pes_scores = np.random.default_rng(seed).random(count).astype(np.float32)
    rows, pes_list = probabilities.tolist(), pes_scores.tolist()

    def plain() -> tuple[reference_plain.PlainCandidates, reference_plain.PlainRanked]:
        found = reference_plain.propose(rows, 0, settings)
        return found, reference_plain.rank(found, pes_list, settings)

    def vectorised() -> tuple[pipeline.Candidates, pipeline.Ranked]:
        found = reference_numpy.propose(probabilities, 0, settings)
        return found, reference_numpy.rank(found, pes_scores, settings)

    def compiled() -> tuple[pipeline.Candidates, pipeline.Ranked]:
        found = pipeline.propose(probabilities, frontier=0, settings=settings)
        return found, pipeline.rank(found, pes_scores, settings)

    return {"numba": compiled, "numpy": vectorised, "plain": plain}


@click.command(help="Time the post-processing of one hop: numba against NumPy and plain Python.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Also write the figures here.")
@click.option("--repeats", default=200, show_default=True, help="Rounds per window.")
def main(json_path: Path | None, repeats: int) -> None:
    """The command line."""
    pipeline.warm_up_kernels()
    timings = [measure(case, repeats) for case in cases()]
    Console().print(_table(timings))
    if json_path is not None:
        rows = [asdict(t) | {"over_numpy": t.over_numpy, "over_plain": t.over_plain} for t in timings]
        json_path.write_text(json.dumps(rows, indent=2) + "\n")


def _table(timings: list[Timing]) -> Table:
    table = Table(title=f"One hop, {STEPS} steps, median milliseconds", box=box.SIMPLE)
    for heading in ("window", "spans", "kept", "numba", "NumPy", "plain", "x NumPy", "x plain"):
        table.add_column(heading, justify="left" if heading == "window" else "right")
    for t in timings:
        figures = (f"{t.numba_ms:.3f}", f"{t.numpy_ms:.3f}", f"{t.plain_ms:.2f}")
        ratios = (f"{t.over_numpy:.1f}", f"{t.over_plain:.0f}")
        table.add_row(t.case, f"{t.candidates:.0f}", f"{t.kept:.0f}", *figures, *ratios)
    return table


if __name__ == "__main__":
    main()
