"""Errors of a sink that runs in a thread, until the thread of the cameras raises them."""

from __future__ import annotations

import threading

from cmsn_runtime.sinks.backlog import Call


class Failures:
    """Errors of a sink: those not raised yet, and the sources that they concern; all, unless each has an output."""

    def __init__(self, one_each: bool) -> None:
        self._one_each = one_each
        self._lock = threading.Lock()
        self._new: list[tuple[str, Exception]] = []
        self._failed: set[str] = set()

    @property
    def ended(self) -> bool:
        """Whether the sink takes nothing any more."""
        return bool(self._failed) and not self._one_each

    def add(self, source: str, error: Exception) -> None:
        """A hook for this source failed."""
        with self._lock:
            self._new.append((source, error))
            self._failed.add(source)

    def add_last(self, error: Exception) -> None:
        """An error while closing; it counts only where no other was the reason to close."""
        with self._lock:
            if self._one_each or not self._failed:
                self._new.append(("", error))

    def next(self, source: str, *, beginning: bool) -> Exception | None:
        """The error that a hook for this source must raise. One of a former round of the source waits for `rest`."""
        if not self._new:
            return None
        with self._lock:
            for place, (failed, error) in enumerate(self._new):
                if not self._one_each or (failed == source and not beginning):
                    del self._new[place]
                    return error
        return None

    def concerns(self, call: Call) -> bool:
        """Whether a call is not to be made any more: its source has failed, and has not begun again."""
        with self._lock:
            if call.kind == "begin" and self._one_each:
                self._failed.discard(call.source)
            return call.source in self._failed if self._one_each else bool(self._failed)

    def rest(self) -> list[Exception]:
        """Take all errors that no hook has raised."""
        with self._lock:
            errors, self._new = [error for _, error in self._new], []
        return errors
