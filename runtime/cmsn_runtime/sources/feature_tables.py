"""Feature rows from text: .txt and .csv as NumPy, pandas, R and spreadsheets write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.text_files import encoding_of


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the cells of a line are written. separator: None for blanks. comma: whether it is the decimal mark.

    names: the first line holds names of columns. indexed: the first column is the index that pandas and R write.
    """

    separator: str | None
    comma: bool
    names: bool
    indexed: bool

    def cells(self, line: str) -> list[str]:
        plain = line.replace('"', "")
        if self.separator is None:
            return plain.split()
        cells = [cell.strip() for cell in plain.split(self.separator)]
        return cells[:-1] if cells[-1] == "" else cells  # a line may end with its separator

    def numbers(self, line: str) -> list[str]:
        cells = self.cells(line)[self.indexed :]
        return [cell.replace(",", ".") for cell in cells] if self.comma else cells


def read_table(path: Path) -> npt.NDArray[np.float64]:
    """One row per line -> float64 [n, width]; [0, 0] where there is none.

    Cells are separated by semicolons, commas, tabs or blanks; with semicolons, a comma is a decimal mark. A first line
    of column names, an index column without a name, empty lines, lines of "#", quotes and a byte order mark are
    skipped. Raises OSError, and ValueError that names the line.
    """
    # Names of columns may be in any encoding; a number damaged by decoding does not parse.
    with path.open(encoding=encoding_of(path), errors="replace") as file:
        lines = _meaningful(file)
        begin = list(islice(lines, 2))
        if not begin:
            return np.empty((0, 0))
        layout = _layout(*(line for _, line in begin))
        return _parsed(chain(begin[layout.names :], lines), layout)


def _meaningful(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line that is neither empty nor a comment."""
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].rstrip()  # an empty cell before a tab is kept
        if text.strip(';,"\t '):
            yield number, text


def _layout(first: str, second: str | None = None) -> _Layout:
    typical = first if second is None else second
    separator = next((mark for line in (typical, first) for mark in ";,\t" if mark in line), None)
    plain = _Layout(separator, separator == ";" and "." not in typical, names=False, indexed=False)
    if second is None:
        return plain
    cells = plain.cells(first)
    unnamed = cells[0] == "" or len(cells) + 1 == len(plain.cells(second))  # pandas and R leave out the index's name
    names = cells[1:] if cells[0] == "" else cells
    if not _are_names(names, plain.numbers(second)):
        return plain
    return _Layout(separator, plain.comma, names=True, indexed=unnamed)


def _are_names(cells: list[str], values: list[str]) -> bool:
    """Whether a first line holds names: no number at all, or 0, 1, 2 ... above numbers that are not integers."""
    if not any(_is_number(cell) for cell in cells):
        return any(cells)
    counted = cells == [str(number) for number in range(len(cells))]
    return counted and any(_is_number(value) and not value.lstrip("+-").isdigit() for value in values)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _parsed(lines: Iterator[tuple[int, str]], layout: _Layout) -> npt.NDArray[np.float64]:
    rows: list[npt.NDArray[np.float64]] = []
    for number, line in lines:
        cells = layout.numbers(line)
        if rows and len(cells) != len(rows[0]):
            raise ValueError(f"line {number} has {len(cells)} values, the lines before have {len(rows[0])}")
        try:
            rows.append(np.array(cells, dtype=np.float64))
        except ValueError as error:
            wrong = next((cell for cell in cells if not _is_number(cell)), line)
            raise ValueError(f"line {number} holds {wrong[:40]!r}, which is not a number") from error
    return np.array(rows).reshape(len(rows), -1)
