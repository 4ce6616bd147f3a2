"""`cmsn train`: from videos and annotations to a trained model."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Train extractor, ASS and PES on a folder of videos.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--resume", is_flag=True, help="Continue from the last checkpoints in the output folder.")
def train(config: Path, resume: bool) -> None:
    """Train both phases as CONFIG (a TOML file) says, and write OUTPUT/model.safetensors.

    Input is a folder of videos and an ActivityNet-format JSON. Progress goes to the terminal and to TensorBoard logs
    in the output folder; a training that was interrupted continues with --resume.
    """
    from cmsn_runtime.errors import MissingExtraError

    try:
        import lightning  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("lightning", "train", "training") from error
    from cmsn_runtime.reporting import say
    from cmsn_training.config import load_config
    from cmsn_training.training import train as run_training

    path = run_training(load_config(config), resume=resume)
    say(path)
    say(f"Next: cmsn export {path} -o NAME.cmsn")
