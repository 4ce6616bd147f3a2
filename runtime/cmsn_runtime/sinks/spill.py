"""Proposals in order of their score, however many there are, in bounded memory."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from cmsn_runtime.closing import Closing

_RECORD = struct.Struct("<ddd")
_BLOCK = 4096  # records of a run that are read at once

Record = tuple[float, float, float]  # score, start, end


class RankedSpill(Closing):
    """Takes (score, start, end) in any order and returns them best first, equal scores in their order of arrival.

    in_memory: how many are kept in memory; beyond that, they go to a temporary file in sorted runs. Raises OSError.
    """

    def __init__(self, in_memory: int = 50_000) -> None:
        self._in_memory = in_memory
        self._newest: list[Record] = []
        self._runs: list[tuple[int, int]] = []  # first record and number of each
        self._file: BinaryIO | None = None

    def add(self, record: Record) -> None:
        """Add one record."""
        self._newest.append(record)
        if len(self._newest) >= self._in_memory:
            self._spill()

    def ranked(self) -> Iterator[Record]:
        """All records, best first."""
        runs = [self._read(first, count) for first, count in self._runs]
        return heapq.merge(*runs, iter(sorted(self._newest, key=_worst_last)), key=_worst_last)

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        if self._file is None:
            self._file = cast("BinaryIO", tempfile.TemporaryFile(prefix="cmsn-"))  # noqa: SIM115 - open until `close`
        first = sum(count for _, count in self._runs)
        self._file.seek(first * _RECORD.size)
        self._file.writelines(_RECORD.pack(*record) for record in sorted(self._newest, key=_worst_last))
        self._runs.append((first, len(self._newest)))
        self._newest.clear()

    def _read(self, first: int, count: int) -> Iterator[Record]:
        assert self._file is not None
        for begin in range(first, first + count, _BLOCK):
            self._file.seek(begin * _RECORD.size)
            block = self._file.read(min(_BLOCK, first + count - begin) * _RECORD.size)
            yield from cast("Iterator[Record]", _RECORD.iter_unpack(block))


def _worst_last(record: Record) -> float:
    return -record[0]
