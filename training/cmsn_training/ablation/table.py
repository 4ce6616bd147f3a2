"""`cmsn ablate`: a set of configurations over folds and seeds, evaluated on their test parts."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.files import write_whole
from cmsn_training.ablation.config import AblationConfig, FoldConfig, RowConfig, configured
from cmsn_training.ablation.jobs import each
from cmsn_training.config import TrainingConfig
from cmsn_training.data.truth import read_truth, segments_of

Spans = npt.NDArray[np.float64]
_LOG = logging.getLogger(__name__)

_RESULT_VERSION = 1  # of the files of cells, so that a changed measure does not read old ones


@dataclass(frozen=True, slots=True)
class Cell:
    """One training and its test: a row, a fold, a seed."""

    row: RowConfig
    fold: FoldConfig | None
    seed: int


@dataclass(frozen=True, slots=True)
class Judging:
    """A cell with its configuration, whose output folder holds the model."""

    table: AblationConfig
    cell: Cell
    config: TrainingConfig


@dataclass(frozen=True, slots=True)
class RowResult:
    """figures: percent, float64 [seeds, columns of the table]; each over the test parts of all folds together."""

    row: RowConfig
    figures: npt.NDArray[np.float64]


def run_table(
    table: AblationConfig, runs: Path, *, workers: int = 1, done: Callable[[str], None] = lambda name: None
) -> list[RowResult]:
    """Train and evaluate every cell that `runs` does not contain yet; returns the rows in order.

    Cells that differ only in how candidates are ranked share one training. Raises SettingsError and AnnotationError
    for missing files and unreadable annotations, before training starts.
    """
    cells = _cells(table)
    judgings = [Judging(table, cell, _placed(table, cell, runs)) for cell in cells]
    truths = _truths([judging.config for judging in judgings])
    trainings = {judging.config.output: judging.config for judging in judgings}
    each(_trained, list(trainings.values()), workers=workers, done=lambda: done("trained"))
    found = each(predicted, judgings, workers=workers, done=lambda: done("evaluated"))
    return [_result(table, row, cells, truths, found) for row in table.rows]


def count_jobs(table: AblationConfig, runs: Path) -> int:
    """Number of calls of `done`."""
    cells = _cells(table)
    return len(cells) + len({_placed(table, cell, runs).output for cell in cells})


def _cells(table: AblationConfig) -> list[Cell]:
    folds: tuple[FoldConfig | None, ...] = table.folds or (None,)
    return [Cell(row, fold, seed) for row in table.rows for seed in table.seeds for fold in folds]


def require_data(config: TrainingConfig) -> None:
    """Raise SettingsError that lists every missing file and folder of the configuration."""
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
    """The configuration of a cell, in a folder named after everything that affects training."""
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


def predicted(judging: Judging) -> dict[str, Spans]:
    """Ranked proposals [K, 2] in seconds of each test video, stored beside the model."""
    table, config, method = judging.table, judging.config, judging.cell.row.method
    ranked = config.model_dump(mode="json", include={"proposals", "tracking"})
    settings = [ranked["proposals"], ranked["tracking"], table.hop_steps, method]
    key = hashlib.sha256(json.dumps([settings, _RESULT_VERSION], sort_keys=True).encode()).hexdigest()[:12]
    path = config.output / f"proposals-{key}.json"
    kept = _kept(path)
    if kept is not None:
        return kept
    from cmsn_training.ablation.cell import propose_all

    found = propose_all(config, method=method, hop_steps=table.hop_steps)
    write_whole(path, json.dumps({name: spans.tolist() for name, spans in found.items()}).encode())
    return found


def _kept(path: Path) -> dict[str, Spans] | None:
    """Proposals of an earlier run; None where they are missing, or the file is damaged."""
    if not path.exists():
        return None
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {name: np.array(spans, dtype=np.float64).reshape(-1, 2) for name, spans in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        _LOG.warning("%s: is damaged (%s); its videos are processed again", path, error)
        return None


def _result(
    table: AblationConfig,
    row: RowConfig,
    cells: Sequence[Cell],
    truths: Sequence[Mapping[str, Spans]],
    found: Sequence[Mapping[str, Spans]],
) -> RowResult:
    from cmsn_training.ablation.cell import recalls

    figures = []
    for seed in table.seeds:
        proposals: dict[str, Spans] = {}
        truth: dict[str, Spans] = {}
        for cell, true, spans in zip(cells, truths, found, strict=True):
            if cell.row is row and cell.seed == seed:
                proposals |= spans
                truth |= true
        figures.append(recalls(proposals, truth, table))
    return RowResult(row, np.array(figures))


def _truths(configs: Sequence[TrainingConfig]) -> list[dict[str, Spans]]:
    """The true segments of each configuration's test part; every file is read once."""
    known: dict[tuple[Path, str | None], dict[str, Spans]] = {}
    truths: list[dict[str, Spans]] = []
    for config in configs:
        require_data(config)
        data = config.data
        if data.test_annotations is None:
            raise SettingsError(f"{config.name}: data.test_annotations is not given; a table is evaluated on them")
        part = (data.test_annotations, data.test_subset)
        if part not in known:
            known[part] = {name: segments_of(video) for name, video in read_truth(part[0], subset=part[1]).items()}
        truths.append(known[part])
    return truths
