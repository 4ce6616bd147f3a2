"""`cmsn ablate`: a table of experiments."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Train and compare a set of configurations.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--runs", default=Path("runs/ablate"), show_default=True, type=click.Path(path_type=Path))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Trainings in parallel.")
@click.option("--json", "output", metavar="OUT", type=click.Path(path_type=Path), help="Write the figures here.")
def ablate(table: Path, runs: Path, workers: int, output: Path | None) -> None:
    """Run every row of TABLE (a TOML file) over its folds and seeds, and print average recalls beside the paper's.

    Results in --runs are not computed again: an interrupted table continues where it stopped. The tables of the paper
    are in cmsn_training/configs/tables.
    """
    from cmsn_runtime.errors import MissingExtraError

    try:
        import lightning  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("lightning", "train", "training") from error
    from cmsn_runtime.files import is_stream, require_writable, write_whole, written_to
    from cmsn_runtime.stopping import Stopped
    from cmsn_runtime.tables import print_table
    from cmsn_runtime.text import printable
    from cmsn_training.ablation.config import load_ablation
    from cmsn_training.ablation.report import as_json, as_table
    from cmsn_training.ablation.table import count_jobs, run_table
    from cmsn_training.stops import TrainingStopped

    config = load_ablation(table)
    with written_to(runs):
        runs.mkdir(parents=True, exist_ok=True)
        require_writable(runs / "model.safetensors")
    if output is not None:
        with written_to(output):
            if not is_stream(output):
                require_writable(output)
    total, finished = count_jobs(config, runs), 0

    def done(what: str) -> None:
        nonlocal finished
        finished += 1
        # A line instead of a bar: Lightning's bars for each training would break it.
        click.echo(printable(f"{finished} of {total}: {what}"), err=True)

    try:
        results = run_table(config, runs, workers=workers, done=done)
    except Stopped as stopped:
        line = f"stopped after {finished} of {total}; the same command continues where it stopped"
        raise TrainingStopped(stopped.number, line) from None
    print_table(as_table(config, results), shrink=False)
    if output is not None:
        write_whole(output, as_json(config, results).encode())
