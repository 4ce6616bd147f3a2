"""`make live-demo`: four rendered clips, played as cameras, and the page that shows them.

python -m cmsn_benchmarks.live.demo [FOLDER] [--minutes 2] [--port 8750]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cmsn_benchmarks.demo import rendered_clip
from cmsn_runtime.state import STATE_VARIABLE
from cmsn_training.rendering.settings import RenderSettings

_CAMERAS = {"entrance": 51, "hall": 52, "yard": 53, "stairs": 54}  # name -> seed of what it shows

_SITE = """\
# What `make live-demo` runs: `cmsn serve {file}`. Real cameras have their URLs here; see docs/live.md.
[site]
name = "live-demo"

[web]
port = {port}

[capture]
loop = true

[outputs.clips]
kind = "clips"
folder = "clips"
max_bytes = 500_000_000

[outputs.json]
kind = "json"
path = "events.jsonl"
"""

_CAMERA = """
[cameras.{name}]
url = "{clip}"
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("demo"))
@click.option(
    "--minutes",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0.5),
    help="Length of each clip, which is repeated.",
)
@click.option("--port", default=8750, show_default=True, type=click.IntRange(1, 65535))
def main(folder: Path, minutes: float, port: int) -> None:
    """Render what is missing, write the site file, and become `cmsn serve`."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "live.toml"
    text = _SITE.format(file=file, port=port)
    for name, seed in _CAMERAS.items():
        click.echo(f"{name}: rendering {minutes:g} minutes, unless that was done before")
        clip = rendered_clip(folder, RenderSettings(width=480, height=270, seed=seed, seconds=60 * minutes))
        text += _CAMERA.format(name=name, clip=clip)
    file.write_text(text, encoding="utf-8")
    click.echo(f"$ cmsn serve {file}\nThe page: http://127.0.0.1:{port} (Ctrl-C ends it)", nl=True)
    sys.stdout.flush()
    os.environ[STATE_VARIABLE] = str(folder / "live")
    os.execv(sys.executable, [sys.executable, "-m", "cmsn_runtime", "serve", str(file)])


if __name__ == "__main__":
    main()
