"""`cmsn ablate`: a set of configurations over folds and seeds, judged on their test parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.files import write_whole
from cmsn_training.ablation.config import AblationConfig, FoldConfig, RowConfig, configured
from cmsn_training.config import TrainingConfig
from cmsn_training.data.truth import read_truth, segments_of

Spans = npt.NDArray[np.float64]

_RESULT_VERSION = 1  # of the files of cells, so that a changed measure does not meet old ones


@dataclass(frozen=True, slots=True)
class Cell:
    """One training and its test: a row, a fold, a seed."""

    row: RowConfig
    fold: FoldConfig | None
    seed: int


@dataclass(frozen=True, slots=True)
class RowResult:
    """figures: percent, float64 [seeds, columns of the table]; each over the test parts of all folds together."""

    row: RowConfig
    figures: npt.NDArray[np.float64]


def run_table(
    table: AblationConfig, runs: Path, *, workers: int = 1, done: Callable[[str], None] = lambda name: None
) -> list[RowResult]:
    """Train and judge every cell that `runs` does not hold yet; returns the rows in order.

    Cells that differ only in how candidates are ranked share one training. Raises SettingsError, naming what is missing
    on disk, before anything is trained.
    """
    folds: tuple[FoldConfig | None, ...] = table.folds or (None,)
    cells = [Cell(row, fold, seed) for row in table.rows for seed in table.seeds for fold in folds]
    configs = {id(cell): _placed(table, cell, runs) for cell in cells}
    for config in configs.values():
        require_data(config)
    trainings = {config.output: config for config in configs.values()}
    _each(_trained, [(config,) for config in trainings.values()], workers, lambda: done("trained"))
    jobs = [(table, cell, configs[id(cell)]) for cell in cells]
    found = _each(predicted, jobs, workers, lambda: done("judged"))
    return [_result(table, row, cells, found) for row in table.rows]


def count_jobs(table: AblationConfig, runs: Path) -> int:
    """How often `done` will be called."""
    folds: tuple[FoldConfig | None, ...] = table.folds or (None,)
    cells = [Cell(row, fold, seed) for row in table.rows for seed in table.seeds for fold in folds]
    return len(cells) + len({_placed(table, cell, runs).output for cell in cells})


def require_data(config: TrainingConfig) -> None:
    """Raises SettingsError that lists every file and folder the configuration wants and does not find."""
    data = config.data
    wanted: dict[str, Path | None] = {"data.videos": data.videos, "data.annotations": data.annotations}
    wanted |= {"data.test_videos": data.test_videos, "data.test_annotations": data.test_annotations}
    if config.model.pretrained is not None:
        wanted["model.pretrained"] = config.model.pretrained
    missing = [f"{name} = {path or 'not given'}" for name, path in wanted.items() if path is None or not path.exists()]
    if missing:
        raise SettingsError(
            f"{config.name}: not on disk: {'; '.join(missing)}; put the data there, or change the paths"
        )


def _placed(table: AblationConfig, cell: Cell, runs: Path) -> TrainingConfig:
    """The configuration of a cell, in a folder named by all that changes what is learnt."""
    config = configured(table, cell.row, cell.fold, seed=cell.seed, output=runs)
    learnt = config.model_dump(
        mode="json", exclude={"output": True, "tracking": True, "proposals": set(config.RANKING)}
    )
    key = hashlib.sha256(json.dumps(learnt, sort_keys=True).encode()).hexdigest()[:12]
    return config.model_copy(update={"output": runs / key})


def _trained(config: TrainingConfig) -> None:
    from cmsn_training.training import MODEL_FILE, train

    if not (config.output / MODEL_FILE).exists():
        train(config, resume=True)


def predicted(table: AblationConfig, cell: Cell, config: TrainingConfig) -> dict[str, Spans]:
    """Ranked proposals [K, 2] in seconds of each test video, kept beside the model."""
    ranked = config.model_dump(mode="json", include={"proposals", "tracking"})
    settings = [ranked["proposals"], ranked["tracking"], table.hop_steps, cell.row.method]
    key = hashlib.sha256(json.dumps([settings, _RESULT_VERSION], sort_keys=True).encode()).hexdigest()[:12]
    path = config.output / f"proposals-{key}.json"
    if not path.exists():
        from cmsn_training.ablation.cell import propose_all

        found = propose_all(config, method=cell.row.method, hop_steps=table.hop_steps)
        write_whole(path, json.dumps({name: spans.tolist() for name, spans in found.items()}).encode())
    raw = json.loads(path.read_text(encoding="utf-8"))
    return {name: np.array(spans, dtype=np.float64).reshape(-1, 2) for name, spans in raw.items()}


def _each(
    work: Callable[..., object], jobs: Sequence[tuple[object, ...]], workers: int, done: Callable[[], None]
) -> list:  # type: ignore[type-arg]
    """Results of work(*job) in the order of the jobs, from several processes where asked for."""
    results: list[object] = [None] * len(jobs)
    if workers == 1:
        for index, job in enumerate(jobs):
            results[index] = work(*job)
            done()
        return results
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_thread) as pool:
        futures = {pool.submit(work, *job): index for index, job in enumerate(jobs)}
        for future in as_completed(futures):
            results[futures[future]] = future.result()
            done()
    return results


def _single_thread() -> None:
    """Several trainings side by side, each on one core: small networks gain nothing from more."""
    import torch

    torch.set_num_threads(1)


def _result(table: AblationConfig, row: RowConfig, cells: list[Cell], found: list[Mapping[str, Spans]]) -> RowResult:
    from cmsn_training.ablation.cell import recalls

    figures = []
    for seed in table.seeds:
        proposals: dict[str, Spans] = {}
        truth: dict[str, Spans] = {}
        for cell, spans in zip(cells, found, strict=True):
            if cell.row is row and cell.seed == seed:
                proposals |= spans
                whole = _truth(configured(table, row, cell.fold, seed=seed, output=Path()))
                # Videos that are gone and were left out (data.missing) are no misses.
                truth |= {name: segments for name, segments in whole.items() if name in spans}
        figures.append(recalls(proposals, truth, table))
    return RowResult(row, np.array(figures))


def _truth(config: TrainingConfig) -> dict[str, Spans]:
    if config.data.test_annotations is None:
        raise SettingsError("data.test_annotations is not given")
    truth = read_truth(config.data.test_annotations, subset=config.data.test_subset)
    return {name: segments_of(video) for name, video in truth.items()}
