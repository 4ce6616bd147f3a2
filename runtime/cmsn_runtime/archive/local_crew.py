"""Workers as processes of this machine."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from cmsn_runtime.archive.crews import Broken, Died, Outcome
from cmsn_runtime.archive.working import Done, Job, OpenWorker, Unreadable, VideoWorker, Worker, WorkSettings
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import CmsnError

_END_SECONDS = 5.0


class _Process:
    """One worker process and what it computes."""

    def __init__(self, settings: WorkSettings, open_worker: OpenWorker) -> None:
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(other, settings, open_worker), daemon=True)
        self.process.start()
        other.close()
        self.job: Job | None = None

    def end(self) -> str:
        """End it at once -> how it ended."""
        self.process.kill() if self.process.is_alive() and self.job is not None else self.process.terminate()
        self.process.join(_END_SECONDS)
        self.connection.close()
        code = self.process.exitcode
        return f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"


class LocalCrew(Closing):
    """`size` processes, each with the bundle opened; see Crew."""

    def __init__(self, settings: WorkSettings, size: int, *, open_worker: OpenWorker = VideoWorker) -> None:
        self._new = partial(_Process, settings, open_worker)
        self._workers = [self._new() for _ in range(size)]

    @property
    def free(self) -> int:
        """See Crew."""
        return sum(worker.job is None for worker in self._workers)

    def submit(self, job: Job) -> None:
        """See Crew."""
        worker = next(worker for worker in self._workers if worker.job is None)
        worker.job = job
        with suppress(OSError):  # it has died; `wait` notices
            worker.connection.send(job)

    def wait(self, seconds: float) -> list[tuple[Job, Outcome]]:
        """See Crew."""
        busy = {worker.connection: worker for worker in self._workers if worker.job is not None}
        ended = []
        for connection in wait(list(busy), seconds):
            worker = busy[connection]  # type: ignore[index]
            job, worker.job = worker.job, None
            assert job is not None
            ended.append((job, self._outcome(worker)))
        return ended

    def close(self) -> None:
        """See Crew."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.end()

    def _outcome(self, worker: _Process) -> Outcome:
        try:
            outcome: Outcome = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(_END_SECONDS)
            reason = worker.end()
            self._workers[self._workers.index(worker)] = self._new()
            return Died(reason)
        return outcome


def _work(connection: Connection[object, Job], settings: WorkSettings, open_worker: OpenWorker) -> None:
    """The life of a worker process: jobs in, outcomes out; it ends with the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: the first one decides
    _serve(connection.recv, connection.send, lambda: open_worker(settings))


def _serve(receive: Callable[[], Job], send: Callable[[object], None], open_worker: Callable[[], Worker]) -> None:
    """Answer jobs until there are no more (EOFError). What fails beside the video is Broken, and said for each job."""
    try:
        worker = open_worker()
    except CmsnError as error:
        reason = str(error)
        while True:
            try:
                receive()
            except (EOFError, OSError):
                return
            send(Broken(reason))
    with worker:
        while True:
            try:
                job = receive()
            except (EOFError, OSError):
                return
            send(outcome_of(worker, job))


def outcome_of(worker: Worker, job: Job) -> Done | Unreadable | Broken:
    """The outcome of a job in this process."""
    try:
        return worker.work(job)
    except CmsnError as error:
        return Broken(str(error))
    except Exception as error:  # a fault of ours, at this video
        return Unreadable(f"failed ({type(error).__name__}: {error})")
