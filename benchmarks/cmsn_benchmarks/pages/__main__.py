"""Makes docs/benchmarks.md and its pictures from the JSON files in benchmarks/results.

python -m cmsn_benchmarks.pages [--results FOLDER] [--docs FOLDER]
"""

from __future__ import annotations

from pathlib import Path

import click

from cmsn_benchmarks.pages.growth import growth_report, picture_name
from cmsn_benchmarks.pages.markdown import mapping
from cmsn_benchmarks.pages.pictures import draw_growth
from cmsn_benchmarks.pages.sections import SECTIONS
from cmsn_runtime.files import write_whole
from cmsn_runtime.json_files import read_json

_INTRODUCTION = """# Benchmarks

`make benchmarks-page` makes this page from the files in [benchmarks/results](../benchmarks/results), and from
nothing else;
`make bench` measures them anew. Figures are medians, in brackets the least and the most of all rounds. What is
compared took turns
within one run, so ratios say more than the figures themselves, which depend on the machine.
"""


def page(results: Path) -> str:
    """The text of the page."""
    lines = [line for section in SECTIONS for line in section.lines(results)]
    return "\n".join([_INTRODUCTION, *lines]).rstrip() + "\n"


def draw_pictures(results: Path, folder: Path) -> None:
    """Every picture that the page shows."""
    if not (results / "growth.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in growth_report(mapping(read_json(results / "growth.json").content)).parts.items():
        draw_growth(part, folder / picture_name(name))


@click.command()
@click.option(
    "--results", default="benchmarks/results", show_default=True, type=click.Path(path_type=Path, exists=True)
)
@click.option("--docs", default="docs", show_default=True, type=click.Path(path_type=Path))
def main(results: Path, docs: Path) -> None:
    """Make the page."""
    docs.mkdir(parents=True, exist_ok=True)
    write_whole(docs / "benchmarks.md", page(results).encode())
    draw_pictures(results, docs / "benchmarks")


if __name__ == "__main__":
    main()
