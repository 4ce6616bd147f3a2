"""The figures of a table of experiments, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from rich.table import Table

from cmsn_training.ablation import RowResult
from cmsn_training.ablation_config import AblationConfig


def as_table(config: AblationConfig, results: Sequence[RowResult]) -> Table:
    """Mean over the seeds, its spread (standard deviation) where there are several, and the paper's figures."""
    table = Table(title=f"{config.title}; AR in percent, {len(config.seeds)} seeds, measure {config.measure}")
    table.add_column("row")
    for number in config.an:
        table.add_column(f"AR@{number}", justify="right")
    paper = any(row.paper for row in config.rows)
    for number in config.an if paper else ():
        table.add_column(f"paper @{number}", justify="right")
    for result in results:
        means, spreads = result.figures.mean(axis=0), _spread(result)
        ours = [
            f"{m:.2f}" + (f" ± {s:.2f}" if len(config.seeds) > 1 else "") for m, s in zip(means, spreads, strict=True)
        ]
        theirs = [f"{value:.2f}" for value in result.row.paper or ()] or [""] * len(config.an) * paper
        table.add_row(result.row.name, *ours, *theirs)
    return table


def as_json(config: AblationConfig, results: Sequence[RowResult]) -> str:
    """All of it, every seed's figures included."""
    rows = [
        {
            "name": result.row.name,
            "mean": {
                f"AR@{n}": round(float(v), 3) for n, v in zip(config.an, result.figures.mean(axis=0), strict=True)
            },
            "spread": {f"AR@{n}": round(float(v), 3) for n, v in zip(config.an, _spread(result), strict=True)},
            "by_seed": [[round(float(value), 3) for value in figures] for figures in result.figures],
            **({"paper": list(result.row.paper)} if result.row.paper else {}),
        }
        for result in results
    ]
    content = {
        "title": config.title,
        "measure": config.measure,
        "an": list(config.an),
        "seeds": list(config.seeds),
        "folds": [fold.name for fold in config.folds],
        "hop_steps": config.hop_steps,
        "rows": rows,
    }
    return json.dumps(content, indent=1) + "\n"


def _spread(result: RowResult) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Standard deviation over the seeds; zero where there is one."""
    count = len(result.figures)
    spread: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        result.figures.std(axis=0, ddof=1) if count > 1 else np.zeros(result.figures.shape[1])
    )
    return spread
