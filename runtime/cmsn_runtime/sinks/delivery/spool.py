"""Messages on the disk until their receiver has them: through outages, restarts and crashes.

Each receiver has a file of its own: one that is away, or whose file is full or damaged, does not concern the others,
and one that is removed leaves nothing that would hold up the rest. Its place in the order is its oldest message.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from cmsn_runtime.closing import Closing
from cmsn_runtime.sinks.delivery.messages import Message
from cmsn_runtime.sinks.delivery.spool_database import SpoolDatabase, Stored
from cmsn_runtime.sinks.delivery.spool_files import Claim, claim, move_aside, remove
from cmsn_runtime.text import printable

_Result = TypeVar("_Result")


class Spool(Closing):
    """Messages in order, `most_bytes` of them at most: where they are more, the oldest that may change is lost first,
    then the oldest of the others. What was lost is counted, and reported when it begins and when it is over.

    A message that lasts is on the disk when `add` returns; one that may change can be lost if the machine loses power.
    A file that is damaged is moved aside, and a new one begun. Where the disk cannot be written, messages are lost,
    counted and reported; nothing is raised, except by the constructor: OSError, sqlite3.Error.

    All methods may be called from any thread. claim: of the file, released by `close`. report: gets lines on what was
    lost or moved. failing: whether the disk cannot be written.
    """

    def __init__(self, claim: Claim, *, most_bytes: int, report: Callable[[str], None]) -> None:
        self.failing = False
        self.path = claim.path
        self._claim = claim
        self._most_bytes = most_bytes
        self._on_report = report
        self._lock = threading.RLock()
        self._unwritten: Counter[str] = Counter()  # lost since the disk failed
        self._full = self._closed = False
        self._database = self._opened(first=1)

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return self._database.count

    @property
    def waiting_bytes(self) -> int:
        """Their bytes, roughly."""
        return self._database.size

    @property
    def lost(self) -> Counter[str]:
        """How many were lost since the file was begun, by kind."""
        return (self._tried(lambda: self._database.lost()) or Counter()) + self._unwritten

    def add(self, message: Message) -> None:
        """Store a message."""
        with self._lock:
            lost = self._tried(lambda: self._database.add(message, most_bytes=self._most_bytes))
            if lost is None:
                self._unwritten[message.kind] += 1
                return
            if self.failing:
                self.failing = False
                self._report(f"the spool can be written again; lost: {_listed(self._unwritten)}")
            if lost and not self._full:
                self._full = True
                self._report(
                    f"the spool is full ({self._most_bytes / 2**20:g} MiB); the oldest events that are not final are "
                    "lost first, finals last"
                )

    def after(self, number: int, most: int) -> list[Stored]:
        """The oldest messages after a number. most: -1 for all."""
        return self._tried(lambda: self._database.after(number, most)) or []

    def acknowledge(self, number: int) -> None:
        """Their receiver has this message and all before it."""
        with self._lock:
            self._tried(lambda: self._database.remove_until(number))
            if self._full and not self._database.count:
                self._full = False
                self._report(f"the spool is empty again; lost: {_listed(self.lost)}")

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        with self._lock, suppress(sqlite3.Error):
            self._closed = True
            self._database.close()
        self._claim.close()

    def _tried(self, work: Callable[[], _Result]) -> _Result | None:
        """The result of some work, in a new file if this one is damaged; None where the disk fails."""
        with self._lock:
            if self._closed:  # a sender that was abandoned comes back
                return None
            try:
                try:
                    return work()
                except sqlite3.OperationalError:  # the disk is full or absent
                    raise
                except sqlite3.ProgrammingError:  # it is closed: the replacement of a damaged one failed
                    self._database = self._opened(first=self._database.next)
                    return work()
                except sqlite3.DatabaseError as error:
                    self._database.close()
                    self._database = self._replacement(error, first=self._database.next)
                    return work()
            except (sqlite3.Error, OSError) as error:
                if not self.failing:
                    self.failing = True
                    self._report(f"the spool cannot be written ({error}); events are lost until it can")
                return None

    def _opened(self, *, first: int) -> SpoolDatabase:
        try:
            return SpoolDatabase(self.path, first=first)
        except sqlite3.OperationalError:  # the disk is full or absent
            raise
        except sqlite3.DatabaseError as error:
            return self._replacement(error, first=first)

    def _replacement(self, error: sqlite3.Error, *, first: int) -> SpoolDatabase:
        """A new file in the place of a damaged one. Its numbers go on: a sender remembers which it has sent."""
        kept = move_aside(self.path)
        self._report(
            f"the spool is damaged ({error}) and was renamed to {printable(kept.name)}; events in it that were not "
            "sent yet are lost"
        )
        return SpoolDatabase(self.path, first=first)

    def _report(self, line: str) -> None:
        self._on_report(f"{printable(str(self.path))}: {line}")


def open_spool(folder: Path, stem: str, *, most_bytes: int, report: Callable[[str], None]) -> Spool:
    """The spool of that name, with what another program's has left behind. Raises OSError and sqlite3.Error."""
    own, left_behind = claim(folder, stem)
    try:
        spool = Spool(own, most_bytes=most_bytes, report=report)
        for each in left_behind:
            with Spool(each, most_bytes=2**62, report=report) as other:
                for stored in other.after(0, -1):
                    spool.add(stored.message)
                if not spool.failing:
                    remove(other.path)
    except BaseException:
        for each in (own, *left_behind):
            each.close()
        raise
    return spool


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "nothing"
