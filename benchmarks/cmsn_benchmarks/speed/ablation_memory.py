"""Resident memory after each of several small trainings in one process, as `cmsn ablate --workers 1` runs them.

python -m cmsn_benchmarks.speed.ablation_memory [--trainings 12] [--json OUT]
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from pathlib import Path

import click

from cmsn_benchmarks.datasets.small_training import write_training
from cmsn_training.ablation.config import load_ablation
from cmsn_training.ablation.table import run_table

# Few steps of networks of tens of megabytes: memory that a training leaks would show at once.
SIZES = ("lstm_hidden = 4\nevaluator_hidden = 4", "lstm_hidden = 256\nevaluator_hidden = 2048")
MOST_GROWTH = 0.1


def resident_megabytes() -> float:
    """Resident memory of this process now, as reported by Linux."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(folder: Path, trainings: int) -> list[float]:
    """Run a table of `trainings` trainings in `folder` -> megabytes after each."""
    write_training(folder, change=SIZES)
    table = folder / "table.toml"
    table.write_text(
        f'title = "memory"\nbase = "config.toml"\nan = [1]\nmeasure = "first-n"\nseeds = {list(range(trainings))}\n'
        '[[rows]]\nname = "whole"\n',
        encoding="utf-8",
    )
    found: list[float] = []

    def note(what: str) -> None:
        if what == "trained":
            found.append(round(resident_megabytes(), 1))

    run_table(load_ablation(table), folder / "runs", done=note)
    return found


@click.command()
@click.option("--trainings", default=12, show_default=True, type=click.IntRange(2))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(trainings: int, output: Path | None) -> None:
    """Run the trainings in this process; exit with 1 where memory grew by more than a tenth after the second."""
    warnings.simplefilter("ignore")  # Lightning's advice about loggers and workers
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(Path(temporary), trainings)
    growth = round(found[-1] / found[1] - 1, 4)
    report = {"resident_megabytes_after_training": found, "growth_after_the_second": growth}
    click.echo(json.dumps(report, indent=1))
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(growth > MOST_GROWTH)


if __name__ == "__main__":
    main()
