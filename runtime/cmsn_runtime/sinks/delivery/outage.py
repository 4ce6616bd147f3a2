"""Reports that a receiver is away and that it is back: once for each outage and reason."""

from __future__ import annotations

from collections.abc import Callable


class Outage:
    """The state of a connection, in lines for people. name: of the receiver, in public."""

    def __init__(self, name: str, report: Callable[[str], None]) -> None:
        self._name = name
        self._report = report
        self._reasons: set[str] = set()

    @property
    def lasts(self) -> bool:
        """Whether the receiver is away."""
        return bool(self._reasons)

    def begins(self, reason: str, *, waiting: int) -> None:
        """An attempt failed. waiting: events in the spool."""
        if reason not in self._reasons:
            self._reasons.add(reason)
            self._report(f"{self._name}: {reason}; events wait in the spool until it is back ({waiting} now)")

    def ends(self, *, waiting: int) -> None:
        """An attempt succeeded."""
        if self._reasons:
            self._reasons.clear()
            self._report(f"{self._name}: is back; {waiting} events waited for it")
