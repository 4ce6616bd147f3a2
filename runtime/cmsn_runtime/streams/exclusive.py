"""Runs the work of one stream, one piece at a time."""

from __future__ import annotations

from cmsn_runtime.backends.asks import Work
from cmsn_runtime.errors import BackendError, SettingsError


class Exclusive:
    """Runs work that no other work of the same stream may interrupt.

    Work that was begun and not completed leaves the stream within a step: nothing else is run until `abandon`.
    """

    def __init__(self) -> None:
        self._under_way: Work[None] | None = None

    @property
    def broken(self) -> bool:
        """Whether some work was begun and not completed."""
        return self._under_way is not None

    def require_whole(self) -> None:
        """Raise BackendError where some work was begun and not completed."""
        if self.broken:
            raise BackendError(
                "the stream was interrupted within a step, or its last work was not completed, and it cannot "
                "continue; flush() reports what was under way, and the stream can then be used again"
            )

    def run(self, work: Work[None]) -> Work[None]:
        """The same work. Raises BackendError where it begins while other work is under way, or after `abandon`."""
        self.require_whole()
        self._under_way = work
        yield from work
        if self._under_way is not work:
            raise BackendError("the stream was closed or flushed while this work was under way; its step is lost")
        self._under_way = None

    def abandon(self) -> None:
        """End the work under way; continuing it raises an error. Raises SettingsError where called from within it."""
        if self._under_way is not None:
            try:
                self._under_way.close()
            except ValueError as error:  # a generator that is running
                raise SettingsError(
                    "the stream is busy: it was closed or flushed by its own on_step, or in another thread; "
                    "wait until its push() has returned"
                ) from error
        self._under_way = None
