"""`cmsn render`: procedural camera streams with known actions."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click


def _size(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    width, cross, height = value.partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise click.BadParameter(f"{value!r}: give WIDTHxHEIGHT in pixels, such as 160x120")
    return int(width), int(height)


@click.command(short_help="Render camera-like streams with known actions.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--streams", default=1, show_default=True, type=click.IntRange(1), help="Number of streams.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1), help="Length of each.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same streams.")
@click.option("--size", default="160x120", show_default=True, callback=_size, help="Pixels, both even.")
@click.option("--fps", default="25", show_default=True, help="Frame rate, such as 25 or 30000/1001.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
def render(
    folder: Path, streams: int, seconds: float, seed: int, size: tuple[int, int], fps: str, workers: int
) -> None:
    """Render STREAMS camera streams into FOLDER, with annotations.json in ActivityNet format.

    A fixed camera looks at a yard. Now and then somebody walks up, raises the arms, swings them, lowers them and walks
    off: that is the action, 1 to 20 s long. Others walk by, stand about, carry boxes; vehicles pass; light, noise and
    shake are those of a low-cost camera.
    """
    from cmsn_runtime.errors import MissingExtraError, SettingsError

    try:
        rate = Fraction(fps)
    except (ValueError, ZeroDivisionError) as error:
        raise SettingsError(f"--fps {fps}: give a rate such as 25 or 30000/1001") from error
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pillow", "render", "rendering") from error
    from rich.progress import Progress

    from cmsn_runtime.reporting import say
    from cmsn_training.rendering.settings import RenderSettings
    from cmsn_training.rendering.writer import render_streams

    settings = RenderSettings(width=size[0], height=size[1], fps=rate, seconds=seconds, seed=seed)
    with Progress(transient=True) as progress:
        task = progress.add_task("Rendering", total=streams)
        path = render_streams(folder, settings, streams=streams, workers=workers, done=lambda _: progress.advance(task))
    say(path)
