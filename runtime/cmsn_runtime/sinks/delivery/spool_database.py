"""The SQLite file of a spool."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.closing import Closing
from cmsn_runtime.sinks.delivery.messages import Message

_BUSY_SECONDS = 2.0
_SCHEMA = """
create table if not exists message(
    number integer primary key, lasting integer not null, size integer not null,
    key text not null, camera text not null, kind text not null, body blob not null);
create index if not exists order_of_loss on message(lasting, number);
create table if not exists lost(kind text primary key, count integer not null);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message and its number in the order of arrival; numbers have gaps."""

    number: int
    message: Message


class SpoolDatabase(Closing):
    """Messages in order, and how many of each kind were lost. Not for several threads at once. Raises sqlite3.Error.

    first: the least number of new messages. count, size: of what waits, in messages and bytes.
    """

    def __init__(self, path: Path, *, first: int) -> None:
        # Transactions are begun by hand; without isolation_level=None, the module begins one before each change.
        self._sqlite = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._sqlite.execute("pragma journal_mode = wal")
            if self._sqlite.execute("pragma quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("it is malformed")
            self._sqlite.executescript(_SCHEMA)
            query = "select count(*), coalesce(sum(size), 0), coalesce(max(number), 0) from message"
            counts: tuple[int, int, int] = self._sqlite.execute(query).fetchone()
        except BaseException:
            self._sqlite.close()
            raise
        self.count, self.size, last = counts
        self.next = max(first, last + 1)

    def lost(self) -> Counter[str]:
        """How many of each kind were lost since the file was begun."""
        return Counter(dict(self._sqlite.execute("select kind, count from lost").fetchall()))

    def add(self, message: Message, *, most_bytes: int) -> Counter[str]:
        """Store a message -> what it displaced: itself perhaps. One that lasts is on the disk then."""
        self._sqlite.execute(f"pragma synchronous = {'full' if message.lasting else 'normal'}")
        count, size = self.count, self.size
        self._sqlite.execute("begin immediate")
        try:
            self._sqlite.execute(
                "insert into message values(?, ?, ?, ?, ?, ?, ?)",
                (self.next, message.lasting, message.size, message.key, message.camera, message.kind, message.body),
            )
            self.count, self.size = count + 1, size + message.size
            lost = self._shrink(most_bytes)
            self._sqlite.execute("commit")
        except BaseException:
            self.count, self.size = count, size
            with suppress(sqlite3.Error):
                self._sqlite.execute("rollback")
            raise
        self.next += 1
        return lost

    def after(self, number: int, most: int) -> list[Stored]:
        """The oldest messages after a number. most: -1 for all."""
        query = "select number, key, camera, kind, body from message where number > ? order by number limit ?"
        rows = self._sqlite.execute(query, (number, most)).fetchall()
        return [Stored(found, Message(*rest)) for found, *rest in rows]

    def remove_until(self, number: int) -> None:
        """Remove a message and all before it."""
        query = "select count(*), coalesce(sum(size), 0) from message where number <= ?"
        count, size = self._sqlite.execute(query, (number,)).fetchone()
        if count:
            self._sqlite.execute("pragma synchronous = normal")  # at worst, some are sent twice
            self._sqlite.execute("delete from message where number <= ?", (number,))
            self.count, self.size = self.count - count, self.size - size

    def close(self) -> None:
        """Close the file."""
        self._sqlite.close()

    def _shrink(self, most_bytes: int) -> Counter[str]:
        lost: Counter[str] = Counter()
        while self.size > most_bytes:
            query = "select number, size, kind from message order by lasting, number limit 1"
            number, size, kind = self._sqlite.execute(query).fetchone()
            self._sqlite.execute("delete from message where number = ?", (number,))
            self._sqlite.execute(
                "insert into lost values(?, 1) on conflict(kind) do update set count = count + 1", (kind,)
            )
            self.count, self.size = self.count - 1, self.size - size
            lost[kind] += 1
        return lost
