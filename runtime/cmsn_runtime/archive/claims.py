"""Who computes which video, where several drivers share one place: files with a heartbeat, and no scheduler."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress

from cmsn_runtime.archive.stores import Store
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import OutputError

BEAT_SECONDS = 10.0
STALE_BEATS = 6  # a claim that was not renewed for so many beats is taken over


class Claims(Closing):
    """Claims of one driver, renewed by a thread every `beat` seconds until it is closed.

    claims/KEY.0.json is a video's first claim. Where its driver died it is no longer renewed; whoever then creates
    claims/KEY.1.json has the video, and so on: creating a file is the only step of which exactly one of many succeeds,
    on file systems and object stores alike. How often a video's worker died is in claims/KEY.tries, so that all drivers
    together try it ATTEMPTS times. The machines' clocks may differ by less than STALE_BEATS beats.
    """

    def __init__(self, store: Store, *, beat: float = BEAT_SECONDS) -> None:
        self._store = store
        self._beat = beat
        self._owner = f"{socket.gethostname()} {os.getpid()}"
        self._mine: dict[str, int] = {}  # key -> number of the claim
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="claims", daemon=True)
        self._thread.start()

    def claim(self, key: str) -> bool:
        """Whether the video is ours from now on. Raises OutputError."""
        number = 0
        while not self._store.create(_name(key, number), self._content()):
            age = self._store.age(_name(key, number))
            if age is not None and age < STALE_BEATS * self._beat:
                return False
            number += age is not None  # gone in between: given up, so that it is tried again
        with self._lock:
            self._mine[key] = number
        return True

    def note(self, key: str, tries: int) -> None:
        """Record how often the video's worker died."""
        self._store.write(_tries(key), str(tries).encode())

    def tries(self, key: str) -> int:
        """How often the video's worker died, wherever."""
        content = self._store.read(_tries(key))
        return int(content) if content and content.strip().isdigit() else 0

    def release(self, key: str, *, ended: bool) -> None:
        """Give the video up. ended: it has a result or a reason; otherwise others may try it."""
        with self._lock:
            number = self._mine.pop(key, -1)
        if ended:
            self._store.remove(_tries(key))
        for earlier in range(number + 1):
            self._store.remove(_name(key, earlier))

    def pause(self) -> None:
        """Wait before looking at the claims of others again."""
        self._closed.wait(min(1.0, self._beat))

    def close(self) -> None:
        """Give all up. May be called twice."""
        self._closed.set()
        self._thread.join()
        for key in list(self._mine):
            with suppress(OutputError):
                self.release(key, ended=False)

    def _renew(self) -> None:
        while not self._closed.wait(self._beat):
            with self._lock:
                mine = list(self._mine.items())
            for key, number in mine:
                with suppress(OutputError):  # the next beat tries again; until then others still wait
                    self._store.touch(_name(key, number), self._content())

    def _content(self) -> bytes:
        return json.dumps({"owner": self._owner, "at": round(time.time(), 3)}).encode()


def _name(key: str, number: int) -> str:
    return f"claims/{key}.{number}.json"


def _tries(key: str) -> str:
    return f"claims/{key}.tries"
