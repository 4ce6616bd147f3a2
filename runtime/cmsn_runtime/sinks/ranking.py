"""The best proposals of a source, in bounded memory."""

from __future__ import annotations

import heapq

from cmsn_runtime.events import Event, Proposal, StreamEvent


class BestActions:
    """Keeps the final proposals of rank 1 with the highest scores, at most `limit` of them, and counts the rest.

    total: actions seen. alternatives: final proposals of lower ranks seen.
    """

    def __init__(self, limit: int) -> None:
        self.total = 0
        self.alternatives = 0
        self._limit = limit
        self._heap: list[tuple[float, int, Event]] = []

    def add(self, event: StreamEvent) -> None:
        """Take an event; only finals count."""
        if event.kind != "final":
            return
        if event.rank > 1:
            self.alternatives += 1
            return
        self.total += 1
        # The count breaks ties in favour of the earlier one, and keeps events themselves from being compared.
        item = (event.proposal.score, -self.total, event)
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def ranked(self) -> list[tuple[Event, Proposal]]:
        """The kept events with their proposals, best first."""
        ordered = sorted(self._heap, reverse=True)
        return [(event, event.proposal) for _, _, event in ordered]
