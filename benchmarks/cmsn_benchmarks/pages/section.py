"""One section of the page: what it says of each of its files, and where their figures are from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cmsn_benchmarks.device.machine_words import machine_words
from cmsn_benchmarks.pages.markdown import Json, mapping
from cmsn_runtime.json_files import read_json

Body = Callable[[Path, Json], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """files: pattern of the JSON files that it is made from. command: makes them. meaning: in plain words. body: path
    and contents of a file -> lines."""

    title: str
    files: str
    command: str
    meaning: str
    body: Body

    def lines(self, results: Path) -> list[str]:
        """The section; where there is no file, one line says how to make it."""
        heading = [f"## {self.title}", ""]
        paths = sorted(results.glob(self.files))
        if not paths:
            return [*heading, f"Not measured yet: `{self.command}` writes `{self.files}`.", ""]
        lines = [*heading, self.meaning, ""]
        for path in paths:
            found = mapping(read_json(path).content)
            lines += [*self.body(path, found), *source(path, found, self.command)]
        return lines


def source(path: Path, found: Json, command: str) -> list[str]:
    """Command, date and machine of a file, and the link to it."""
    began = found.get("began")
    words = [f"`{found.get('command', command)}`"]
    if isinstance(began, str):
        words.append(datetime.fromisoformat(began).strftime("%Y-%m-%d %H:%M"))
    machine = mapping(found.get("machine"))
    words.append(machine_words(machine) if machine else "the file does not name date and machine")
    if "load_at_begin" in machine:
        words.append(f"load {machine['load_at_begin']} at the begin")
    return [f"Source: {'; '.join(words)}; [all figures](../benchmarks/results/{path.name}).", ""]
