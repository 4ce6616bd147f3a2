"""The figures of a table of experiments, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.table import Table

from cmsn_runtime.tables import cell
from cmsn_training.ablation.config import AblationConfig
from cmsn_training.ablation.table import RowResult

Figures = npt.NDArray[np.float64]  # one per column


def as_table(config: AblationConfig, results: Sequence[RowResult]) -> Table:
    """Mean over the seeds, its spread (standard deviation) where there are several, and the paper's figures."""
    table = Table(title=cell(f"{config.title}; percent, {len(config.seeds)} seeds, measure {config.measure}"))
    table.add_column("row")
    paper = any(row.paper for row in config.rows)
    for name in (*config.columns, *(f"paper {name}" for name in config.columns if paper)):
        table.add_column(cell(name), justify="right", no_wrap=True)
    for result in results:
        means, spreads = result.figures.mean(axis=0), _spread(result)
        ours = [
            f"{m:.2f}" + (f" ± {s:.2f}" if len(config.seeds) > 1 else "") for m, s in zip(means, spreads, strict=True)
        ]
        theirs = [f"{value:.2f}" for value in result.row.paper or ()] or [""] * len(config.columns) * paper
        table.add_row(cell(result.row.name), *ours, *theirs)
    return table


def as_json(config: AblationConfig, results: Sequence[RowResult]) -> str:
    """All of it, every seed's figures included."""
    rows = [
        {
            "name": result.row.name,
            "mean": _named(config, result.figures.mean(axis=0)),
            "spread": _named(config, _spread(result)),
            "by_seed": [[round(float(value), 3) for value in figures] for figures in result.figures],
            **({"paper": list(result.row.paper)} if result.row.paper else {}),
        }
        for result in results
    ]
    content = {
        "title": config.title,
        "measure": config.measure,
        "an": list(config.an),
        **({"tiou": list(config.tiou)} if config.tiou else {}),
        "seeds": list(config.seeds),
        "folds": [fold.name for fold in config.folds],
        "hop_steps": config.hop_steps,
        "rows": rows,
    }
    return json.dumps(content, indent=1) + "\n"


def _named(config: AblationConfig, figures: Figures) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(config.columns, figures, strict=True)}


def _spread(result: RowResult) -> Figures:
    """Standard deviation over the seeds; zero where there is one."""
    count = len(result.figures)
    spread: Figures = result.figures.std(axis=0, ddof=1) if count > 1 else np.zeros(result.figures.shape[1])
    return spread
