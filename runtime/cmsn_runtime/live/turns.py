"""Gives cameras their turns at the networks: fair, in batches where the backend takes them, under a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from cmsn_runtime.backends.answering import WorkTogether
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.live.camera import LiveCamera

_MOST_PER_TURN = 8  # items of one camera before the next one has its turn: few frames complete a chunk


class Turns:
    """The work of many cameras. A camera has one piece of work under way at a time.

    batch_seconds: how long a first ask waits for those of other cameras, where the backend takes several.
    on_failure: gets the error of each piece of work that failed. on_success: called where the networks have answered.
    now: time.monotonic, for tests.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        batch_seconds: float,
        on_failure: Callable[[LiveCamera, Exception], None],
        on_success: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._largest = backend.largest_batch
        self._together: WorkTogether[LiveCamera, list[StreamEvent]] = WorkTogether(backend)
        self._batch_seconds = batch_seconds if self._largest > 1 else 0.0
        self._on_failure, self._on_success = on_failure, on_success
        self._now = now
        self._due: float | None = None  # when the pending asks must be answered

    def take(self, cameras: Collection[LiveCamera]) -> None:
        """One round: each camera that is free begins its next work; what is pending is answered if it is due.

        Those whose frames have waited longest begin first.
        """
        free = [camera for camera in cameras if len(camera.line) and camera not in self._together.pending]
        for camera in sorted(free, key=lambda camera: -camera.lag):
            self._begin(camera)
        if self._together.pending and self.seconds_left(cameras) <= 0:
            self._answer()
        if not self._together.pending:
            self._due = None

    def seconds_left(self, cameras: Collection[LiveCamera]) -> float:
        """How long the next round may be put off; infinity where there is nothing to do."""
        if any(len(camera.line) and camera not in self._together.pending for camera in cameras):
            return 0.0
        pending = len(self._together.pending)
        if not pending:
            return float("inf")
        complete = pending >= min(self._largest, len(cameras))  # no further ask can join the batch
        return 0.0 if complete or self._due is None else max(0.0, self._due - self._now())

    def finish_all(self, *, until: float) -> None:
        """Answer until nothing is pending, or that time (time.monotonic()) has come."""
        while self._together.pending and self._now() < until:
            self._answer()

    def run_silence(self, camera: LiveCamera) -> None:
        """Settle a camera that has fallen silent, if nothing else is to be done for it."""
        if camera in self._together.pending or len(camera.line):
            return
        work = camera.silence_work()
        if work is not None:
            self._finish(self._together.begin(camera, work))

    def run_ending(self, camera: LiveCamera) -> None:
        """Begin to end a camera's stream. Nothing of it may be pending."""
        self._finish(self._together.begin(camera, camera.ending()))

    def is_busy(self, camera: LiveCamera) -> bool:
        """Whether work of it is pending."""
        return camera in self._together.pending

    def forget(self, camera: LiveCamera) -> None:
        """Drop the work of a camera that was settled."""
        self._together.drop(camera)

    def _begin(self, camera: LiveCamera) -> None:
        for _ in range(_MOST_PER_TURN):
            if not len(camera.line):
                return
            try:
                work = camera.next_work()
            except Exception as error:
                self._finish({camera: error})
                continue
            self._finish(self._together.begin(camera, work))
            if camera in self._together.pending:
                if self._due is None:
                    self._due = self._now() + self._batch_seconds
                return

    def _answer(self) -> None:
        results = self._together.answer()
        if any(not isinstance(result, Exception) for result in results.values()):
            self._on_success()
        self._finish(results)

    def _finish(self, results: dict[LiveCamera, list[StreamEvent] | Exception]) -> None:
        for camera, result in results.items():
            camera.finish(result)
            if isinstance(result, Exception):
                self._on_failure(camera, result)
