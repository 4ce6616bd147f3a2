"""What an output of a site file gets to know of its site."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from cmsn_runtime.sinks.kinds import SinkContext


def site_context(folder: Path, lines: list[str] | None = None) -> SinkContext:
    """Of the output `home` of a site of that name, whose files are in a folder. lines: get its reports."""
    report = ([] if lines is None else lines).append
    return SinkContext(
        Fraction(1), site="home", name="home", folder=folder, site_folder=folder, live=True, report=report
    )
