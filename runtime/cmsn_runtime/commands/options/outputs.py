"""The outputs of `cmsn run`."""

from __future__ import annotations

from pathlib import Path

import click

from cmsn_runtime.commands.options.grouping import grouped
from cmsn_runtime.sinks.outputs import Outputs

_PATH = click.Path(path_type=Path)

output_options = grouped(
    "outputs",
    Outputs,
    click.option("--json", metavar="PATH", type=_PATH, help="JSON lines; here and below, - is standard output."),
    click.option("--csv", metavar="PATH", type=_PATH, help="Final proposals as CSV."),
    click.option("--results", metavar="PATH", type=_PATH, help="Final proposals in ActivityNet's results format."),
    click.option(
        "--timeline", metavar="PNG", type=_PATH, help="A picture; PNG-stem-SOURCE.png for each of several sources."
    ),
    click.option(
        "--sink",
        "sinks",
        metavar="NAME=VALUE",
        multiple=True,
        help="Another output: clips=FOLDER, video=FILE.mp4, mqtt=mqtt://HOST, webhook=https://HOST/PATH, or any other "
        "installed kind; may be repeated.",
    ),
    click.option(
        "--events",
        type=click.Choice(["all", "final"]),
        default="all",
        show_default=True,
        help="`final` omits events that may still change.",
    ),
    click.option("--quiet", is_flag=True, help="No table, bar or default JSON; only requested outputs, and errors."),
)
