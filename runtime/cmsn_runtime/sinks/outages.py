"""Reports on stderr which cameras are lost and back, where no terminal shows it."""

from __future__ import annotations

from cmsn_runtime.events import Notice, StreamEvent
from cmsn_runtime.reporting import report
from cmsn_runtime.sinks.base import Sink

_REPORTED = frozenset({"source_lost", "source_back"})


class OutageSink(Sink):
    """A line for each loss and each return: in files of finals alone, a wrong password would look like a quiet day."""

    passive = True

    @property
    def name(self) -> str:
        return "reports of outages"

    def event(self, source: str, event: StreamEvent) -> None:
        """Losses and returns only."""
        if isinstance(event, Notice) and event.kind in _REPORTED:
            report(f"{source}: {event.kind}: {event.reason.removeprefix(f'{source}: ')}", kind="warning")
