"""Gives events their ids and numbers, so that receivers detect what was lost, doubled or changed."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from cmsn_runtime.events import Event, Stamp, StreamEvent, WallClock

LOCAL_SITE = "local"


def new_run() -> str:
    """An id for a run of this program: its begin in UTC, so that runs sort by time, and four random digits."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"


class Numbering:
    """Stamps the events of one camera in the order in which they are reported.

    site, camera: names; run: see `new_run`. An event's id is `site/camera/run/segment/action/rank`; in that of a
    notice, the action is 0 and the rank its number. The key of a report, `site/camera/run/seq`, is unique.
    """

    def __init__(self, *, site: str = LOCAL_SITE, camera: str, run: str) -> None:
        self._begin = f"{_part(site)}/{_part(camera)}/{run}"
        self._count = 0

    def stamped(self, event: StreamEvent, clock: WallClock | None = None) -> StreamEvent:
        """The event with the next number. clock: that of its source now."""
        self._count += 1
        action, rank = (event.action, event.rank) if isinstance(event, Event) else (0, self._count)
        name = f"{self._begin}/{event.segment}/{action}/{rank}"
        return replace(event, stamp=Stamp(name, self._count, f"{self._begin}/{self._count}", clock))


def _part(name: str) -> str:
    """A name within an id, whose parts are separated by slashes."""
    return name.replace("/", "_") or "_"
