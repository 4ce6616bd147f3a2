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
    """Claims of one driver: claims/KEY.json, renewed by a thread every `beat` seconds until it is closed.

    A driver that dies stops renewing; another takes its videos over. How often a video's worker died is in the claim,
    or in claims/KEY.tries between two of them, so that all drivers together try it ATTEMPTS times.
    """

    def __init__(self, store: Store, *, beat: float = BEAT_SECONDS) -> None:
        self._store = store
        self._beat = beat
        self._owner = f"{socket.gethostname()} {os.getpid()}"
        self._mine: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="claims", daemon=True)
        self._thread.start()

    def claim(self, key: str) -> bool:
        """Whether the video is ours from now on. Raises OutputError."""
        name = _name(key)
        for _ in range(2):
            if self._store.create(name, self._content()):
                with self._lock:
                    self._mine.add(key)
                return True
            age = self._store.age(name)
            if age is not None and age < STALE_BEATS * self._beat:
                return False
            self._store.take(name)  # of several that try one succeeds; all then try to create it
        return False

    def note(self, key: str, tries: int) -> None:
        """Record how often the video's worker died."""
        self._store.write(f"claims/{key}.tries", str(tries).encode())

    def tries(self, key: str) -> int:
        """How often the video's worker died, wherever."""
        content = self._store.read(f"claims/{key}.tries")
        return int(content) if content and content.strip().isdigit() else 0

    def release(self, key: str, tries: int = 0) -> None:
        """Give the video up: it has a result, or others may try it. tries: kept where it is not 0."""
        with self._lock:
            self._mine.discard(key)
        self._store.take(_name(key))
        if not tries and self._store.age(f"claims/{key}.tries") is not None:
            self._store.take(f"claims/{key}.tries")

    def pause(self) -> None:
        """Wait before looking at the claims of others again."""
        self._closed.wait(min(1.0, self._beat))

    def close(self) -> None:
        """Give all up. May be called twice."""
        self._closed.set()
        self._thread.join()
        for key in list(self._mine):
            with suppress(OutputError):
                self.release(key, tries=1)

    def _renew(self) -> None:
        while not self._closed.wait(self._beat):
            with self._lock:
                keys = list(self._mine)
            for key in keys:
                with suppress(OutputError):  # the next beat tries again; until then others still wait
                    self._store.touch(_name(key), self._content())

    def _content(self) -> bytes:
        return json.dumps({"owner": self._owner, "at": round(time.time(), 3)}).encode()


def _name(key: str) -> str:
    return f"claims/{key}.json"
