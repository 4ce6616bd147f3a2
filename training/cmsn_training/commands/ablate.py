"""`cmsn ablate`: a table of experiments."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import click


@click.command(short_help="Train and compare a set of configurations.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--runs", default=Path("runs/ablate"), show_default=True, type=click.Path(path_type=Path))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Trainings side by side.")
@click.option("--json", "output", metavar="OUT", type=click.Path(path_type=Path), help="Write the figures here.")
def ablate(table: Path, runs: Path, workers: int, output: Path | None) -> None:
    """Run every row of TABLE (a TOML file) over its folds and seeds, and print average recalls beside the paper's.

    What --runs holds already is not done again: an interrupted table goes on where it stopped. The tables of the paper
    are in cmsn_training/configs/tables.
    """
    from cmsn_runtime.errors import MissingExtraError

    try:
        import lightning  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("lightning", "train", "training") from error
    from cmsn_runtime.files import written_to
    from cmsn_runtime.tables import print_table
    from cmsn_runtime.text import printable
    from cmsn_training.ablation.config import load_ablation
    from cmsn_training.ablation.report import as_json, as_table
    from cmsn_training.ablation.table import count_jobs, run_table

    config = load_ablation(table)
    runs.mkdir(parents=True, exist_ok=True)
    # Lines and no bar: a bar of ours does not survive those that Lightning draws for each training.
    total, finished = count_jobs(config, runs), count(1)
    results = run_table(
        config,
        runs,
        workers=workers,
        done=lambda what: click.echo(printable(f"{next(finished)} of {total}: {what}"), err=True),
    )
    print_table(as_table(config, results), shrink=False)
    if output is not None:
        with written_to(output):
            output.write_text(as_json(config, results), encoding="utf-8")
