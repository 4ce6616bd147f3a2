"""Runs work that may wait for a camera or a network in its own thread: the main thread stays free for signals.

Python cannot interrupt FFmpeg, which waits up to 20 seconds for a camera that has fallen silent, and a pipe waits
forever; systemd and Docker wait for 10 seconds when they stop a program.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from cmsn_runtime.closing import Closing

Value = TypeVar("Value")

_LEAVING_SECONDS = 0.5  # for a thread that is about to end


@dataclass(frozen=True, slots=True)
class _Ended:
    """Marks the end of the items. error: what ended them."""

    error: BaseException | None = None


class Reader(Closing, Generic[Value]):
    """The items of an iterable, read ahead by one; its errors are raised here.

    A thread that is blocked when this is closed is abandoned, and ends with the process.
    """

    def __init__(self, items: Iterable[Value]) -> None:
        self._items = items
        self._ready: queue.SimpleQueue[Value | _Ended] = queue.SimpleQueue()
        self._room = threading.Semaphore(1)
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="cmsn-reader", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Value]:
        while True:
            item = self._ready.get()
            if isinstance(item, _Ended):
                if item.error is not None:
                    raise item.error
                return
            self._room.release()
            yield item

    def close(self) -> None:
        """Abandon the thread. May be called twice."""
        self._closed = True
        self._room.release()
        self._thread.join(_LEAVING_SECONDS)

    def _read(self) -> None:
        ended = _Ended()
        try:
            for item in self._items:
                self._room.acquire()
                if self._closed:
                    break
                self._ready.put(item)
        except BaseException as error:
            ended = _Ended(error)
        self._ready.put(ended)


def patiently(work: Callable[[], Value]) -> Value:
    """Run something that may take long, such as opening a camera -> its result; its errors are raised here."""
    with Reader(work() for _ in range(1)) as reader:
        return next(iter(reader))
