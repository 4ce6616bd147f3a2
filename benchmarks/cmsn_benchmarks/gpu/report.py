"""The report of a run, rewritten after each part, so that an interrupted run keeps its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cmsn_benchmarks.gpu.stacks import without_paths
from cmsn_runtime.files import write_whole


class Report:
    """Named results and notes. path: the JSON file; None only prints."""

    def __init__(self, path: Path | None) -> None:
        self.results: dict[str, Any] = {"finished": [], "notes": []}
        self._path = path

    def add(self, name: str, result: Any) -> None:
        """Add the result of a part."""
        self.results[name] = result
        self.results["finished"].append(name)
        self._write()
        click.echo(f"{name}: {json.dumps(result, indent=1)}")

    def append(self, name: str, result: Any) -> None:
        """Add a further result to a part with several."""
        self.results.setdefault(name, []).append(result)
        self._write()
        click.echo(f"{name}: {json.dumps(result, indent=1)}")

    def note(self, line: str) -> None:
        """Add a note about a failure, or about something that a reader must know."""
        self.results["notes"].append(without_paths(line))
        self._write()
        click.echo(without_paths(line), err=True)

    def _write(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, (json.dumps(self.results, indent=1) + "\n").encode())
