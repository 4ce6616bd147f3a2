"""Server-sent events: one stream of messages to every browser that reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress

Message = Mapping[str, object]

_MOST_WAITING = 500  # messages; some seconds of many cameras
_MOST_READERS = 64
_QUIET_SECONDS = 10.0  # after which a reader gets a comment, so that a connection that is gone is noticed
_RETRY_MILLISECONDS = 1000


class Feed:
    """Passes messages from any thread to the readers, each behind a queue of limited length.

    A reader that is too slow is dropped: its browser connects again and gets a new snapshot.
    readers, dropped: how many read now, and how many were too slow so far.
    """

    def __init__(self, *, most_waiting: int = _MOST_WAITING, most_readers: int = _MOST_READERS) -> None:
        self.dropped = 0
        self._most_waiting = most_waiting
        self._most_readers = most_readers
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def readers(self) -> int:
        return len(self._queues)

    @property
    def full(self) -> bool:
        """Whether no further reader is taken."""
        return self._closed or len(self._queues) >= self._most_readers

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop in which all readers run."""
        self._loop = loop

    def send(self, message: Message) -> None:
        """Pass a message to all who read now. From any thread; never waits."""
        if self._queues and self._loop is not None:
            self._soon(self._put, encoded(message))

    async def read(self, snapshot: Callable[[], Message]) -> AsyncIterator[bytes]:
        """What one reader gets: a snapshot, then every message sent since. Within the bound loop."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(self._most_waiting)
        self._queues.add(queue)
        try:
            yield b"retry: %d\n\n" % _RETRY_MILLISECONDS
            yield encoded(snapshot())
            while queue in self._queues and (data := await _next(queue)) is not None:
                yield data
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End all readers, and take no others. From any thread."""
        self._closed = True
        self._soon(self._drop_all)

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed: nobody reads any more
                self._loop.call_soon_threadsafe(call, *arguments)

    def _put(self, data: bytes) -> None:
        for queue in tuple(self._queues):
            if queue.full():
                self.dropped += 1
                self._drop(queue)
            else:
                queue.put_nowait(data)

    def _drop_all(self) -> None:
        for queue in tuple(self._queues):
            self._drop(queue)

    def _drop(self, queue: asyncio.Queue[bytes | None]) -> None:
        """What waits is freed at once: the connection of a reader that stands still may last for a while."""
        self._queues.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)


def encoded(message: Message) -> bytes:
    """A message as a server-sent event."""
    return f"data: {json.dumps(message, separators=(',', ':'))}\n\n".encode()


async def _next(queue: asyncio.Queue[bytes | None]) -> bytes | None:
    try:
        return await asyncio.wait_for(queue.get(), _QUIET_SECONDS)
    except (asyncio.TimeoutError, TimeoutError):
        return b": alive\n\n"
