"""Reports that a receiver is away and that it is back: once for each outage and reason, and not too often."""

from __future__ import annotations

import time
from collections.abc import Callable


class Outage:
    """The state of a connection, in lines for people. name: of the receiver, in public. lasts: whether it is away.

    quiet_seconds: after the report of one outage, in which the next is reported only if it lasts that long; those that
    did not are counted.
    """

    def __init__(self, name: str, report: Callable[[str], None], *, quiet_seconds: float = 60.0) -> None:
        self.lasts = False
        self._name = name
        self._report = report
        self._quiet_seconds = quiet_seconds
        self._reasons: set[str] = set()  # reported in this outage
        self._reported: float | None = None  # time.monotonic() of the newest outage that was
        self._left_out = 0

    def begins(self, reason: str, *, waiting: int) -> None:
        """An attempt failed. waiting: events in the spool."""
        self.lasts = True
        now = time.monotonic()
        recent = self._reported is not None and now - self._reported < self._quiet_seconds
        if reason in self._reasons or (recent and not self._reasons):
            return
        before = f", after {self._left_out} short outages" if self._left_out else ""
        self._reasons.add(reason)
        self._reported, self._left_out = now, 0
        self._report(f"{self._name}: {reason}{before}; events wait in the spool until it is back ({waiting} now)")

    def ends(self, *, waiting: int) -> None:
        """An attempt succeeded."""
        if self._reasons:
            self._reasons.clear()
            self._report(f"{self._name}: is back; {waiting} events waited for it")
        elif self.lasts:
            self._left_out += 1
        self.lasts = False
