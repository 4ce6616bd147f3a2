"""`cmsn ablate`: a table of experiments."""

from __future__ import annotations

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
    from rich.console import Console
    from rich.progress import Progress

    from cmsn_training.ablation import count_jobs, run_table
    from cmsn_training.ablation_config import load_ablation
    from cmsn_training.ablation_report import as_json, as_table

    config = load_ablation(table)
    runs.mkdir(parents=True, exist_ok=True)
    with Progress(transient=True) as progress:
        task = progress.add_task(config.title, total=count_jobs(config, runs))
        results = run_table(config, runs, workers=workers, done=lambda what: progress.advance(task))
    Console().print(as_table(config, results))
    if output is not None:
        output.write_text(as_json(config, results), encoding="utf-8")
