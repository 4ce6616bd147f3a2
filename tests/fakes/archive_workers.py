"""Workers of archives that compute nothing, and fail at videos of certain names; other processes import them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cmsn_runtime.archive.records import FoundProposal, VideoResult, result_bytes
from cmsn_runtime.archive.stores import open_store
from cmsn_runtime.archive.working import Done, Job, Unreadable, WorkSettings
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BundleError

SETUP = {"bundle": "0" * 64, "settings": {}, "hop_steps": 1}


class FakeWorker(Closing):
    """A video's name decides: poison kills the worker, once kills the first that tries, broken cannot be read, slow
    takes as many tenths of a second as the name's number says.
    """

    def __init__(self, settings: WorkSettings) -> None:
        if settings.bundle == "damaged":
            raise BundleError("damaged: is no bundle")
        self._store = open_store(settings.place)
        self._place = Path(settings.place)

    def close(self) -> None:
        """Nothing to release."""

    def work(self, job: Job) -> Done | Unreadable:
        """See the class."""
        name = Path(job.stamp.address).stem
        self._place.mkdir(parents=True, exist_ok=True)
        with (self._place / "tries.txt").open("a") as file:
            file.write(f"{name}\n")
        if name.startswith("poison") or (name.startswith("once") and self._first(name)):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("slow"):
            time.sleep(int(name.rpartition("-")[2]) / 10)
        if name.startswith("broken"):
            return Unreadable(f"{name}: is no video")
        self._store.write(f"results/{job.key}.json", result_bytes(result_of(job)))
        return Done(10.0, "", 1)

    def _first(self, name: str) -> bool:
        try:
            (self._place / f"{name}.died").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def result_of(job: Job, *, proposals: int = 1) -> VideoResult:
    """A result with proposals of one, two ... seconds, each with a second rank."""
    found = [
        FoundProposal(action, rank, 2.0 * action, 3.0 * action + rank / 10, 1 / (action + rank))
        for action in range(1, proposals + 1)
        for rank in (1, 2)
    ]
    return VideoResult(job.key, job.stamp, "fake", SETUP, 10.0, 25.0, "", 0.1, tuple(found))
