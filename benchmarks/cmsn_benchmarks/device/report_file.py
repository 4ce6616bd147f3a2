"""The JSON file of `cmsn bench`: a BenchReport as text, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cmsn_benchmarks.device.figures import FORMAT, BenchReport
from cmsn_runtime.checking import shown
from cmsn_runtime.errors import AnnotationError, SettingsError
from cmsn_runtime.files import write_whole
from cmsn_runtime.json_files import read_json
from cmsn_runtime.structuring import structure


def write_report(path: Path, report: BenchReport) -> None:
    """Write a report: completely or not at all. Raises OutputError."""
    write_whole(path, (report_text(report) + "\n").encode())


def report_text(report: BenchReport) -> str:
    """A report as JSON, in which whatever holds no other object or list takes one line: a latency, a query.

    Raises ValueError for a figure that is infinite or no number, which JSON cannot hold.
    """
    return "".join(_pieces(asdict(report), 0))


def read_report(path: Path) -> BenchReport:
    """Read what `write_report` wrote. Raises AnnotationError, which says what the file is instead."""
    content = read_json(path).content
    if not isinstance(content, dict) or "format" not in content:
        raise _refusal(path, "it is another kind of JSON file", "write one with `cmsn bench --json FILE`")
    if content["format"] != FORMAT:
        raise _refusal(
            path,
            f"its format is {shown(content['format'])}, and this cmsn reads {FORMAT}",
            "update cmsn or measure again",
        )
    try:
        return structure(content, BenchReport)
    except SettingsError as error:
        raise _refusal(path, str(error), "measure again") from error


def _refusal(path: Path, found: str, action: str) -> AnnotationError:
    return AnnotationError(f"{path}: cannot be read as a report of `cmsn bench` ({found}); {action}")


def _pieces(value: object, depth: int) -> Iterator[str]:
    """The text of a value; depth: of the objects and lists around it."""
    inner = "\n" + " " * (depth + 1)
    if isinstance(value, dict) and not all(map(_is_plain, value.values())):
        for number, (name, item) in enumerate(value.items()):
            yield f"{',' if number else '{'}{inner}{json.dumps(name)}: "
            yield from _pieces(item, depth + 1)
        yield inner[:-1] + "}"
    elif isinstance(value, (list, tuple)) and not all(map(_is_plain, value)):
        for number, item in enumerate(value):
            yield f"{',' if number else '['}{inner}"
            yield from _pieces(item, depth + 1)
        yield inner[:-1] + "]"
    else:
        yield json.dumps(value, allow_nan=False)


def _is_plain(value: object) -> bool:
    return not isinstance(value, (dict, list, tuple)) or not value
