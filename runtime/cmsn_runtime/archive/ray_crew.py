"""Workers as actors of a Ray cluster, or of a Ray started on this machine."""

from __future__ import annotations

import logging
from typing import Any

from cmsn_runtime.archive.crews import Broken, Died, Outcome
from cmsn_runtime.archive.local_crew import outcome_of
from cmsn_runtime.archive.working import Job, OpenWorker, VideoWorker, Worker, WorkSettings
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError, CmsnError, MissingExtraError


class RayCrew(Closing):
    """Actors of one CPU each, and a share of a GPU; see Crew.

    address: of the cluster, "auto" for the one this process is in, None to start Ray here. size: of actors; by default
    as many as the cluster has room for. gpus: of each actor, such as 0.5. Raises MissingExtraError, BackendError.
    """

    def __init__(
        self,
        settings: WorkSettings,
        *,
        address: str | None,
        size: int | None,
        gpus: float,
        open_worker: OpenWorker = VideoWorker,
    ) -> None:
        try:
            import ray  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise MissingExtraError("ray", "ray", "an archive on Ray") from error
        self._ray: Any = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            try:
                ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # ConnectionError, RuntimeError, ValueError ...
                raise BackendError(
                    f"Ray at {address or 'this machine'} cannot be reached ({error}); check it"
                ) from error
        self._settings = settings
        self._open_worker = open_worker
        self._actor: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(_Actor)
        self._free: list[Any] = []
        self._starting: dict[Any, Any] = {}
        for _ in range(size or self._room(gpus)):
            self._start()
        self._busy: dict[Any, tuple[Any, Job]] = {}

    @property
    def free(self) -> int:
        """See Crew."""
        return len(self._free)

    def submit(self, job: Job) -> None:
        """See Crew."""
        actor = self._free.pop()
        self._busy[actor.work.remote(job)] = actor, job

    def wait(self, seconds: float) -> list[tuple[Job, Outcome]]:
        """See Crew. Where a node was lost, there may be room for fewer workers: the others stay starting."""
        ready, _ = self._ray.wait([*self._busy, *self._starting], num_returns=1, timeout=seconds)
        found = []
        for reference in ready:
            if reference in self._busy:
                found.append(self._ended(reference))
            else:
                self._begun(reference)
        return found

    def close(self) -> None:
        """See Crew."""
        actors = [*self._free, *self._starting.values(), *(actor for actor, _ in self._busy.values())]
        self._free, self._starting, self._busy = [], {}, {}
        for actor in actors:
            self._ray.kill(actor)
        if self._ours:
            self._ray.shutdown()

    def _ended(self, reference: Any) -> tuple[Job, Outcome]:
        actor, job = self._busy.pop(reference)
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._start()
            return job, Died(" ".join(str(error).split())[:200])
        self._free.append(actor)
        return job, outcome

    def _begun(self, reference: Any) -> None:
        actor = self._starting.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError:
            self._start()
        else:
            self._free.append(actor)

    def _start(self) -> None:
        actor = self._actor.remote(self._settings, self._open_worker)
        self._starting[actor.ready.remote()] = actor

    def _room(self, gpus: float) -> int:
        resources = self._ray.cluster_resources()
        cpus = int(resources.get("CPU", 1))
        room = int(resources.get("GPU", 0) / gpus) if gpus else cpus
        if not min(room, cpus):
            raise BackendError(
                f"the cluster has {cpus} CPUs and {resources.get('GPU', 0):g} GPUs; a worker needs 1 and {gpus:g}"
            )
        return min(room, cpus)


class _Actor:
    """Opens the bundle with its first video: an error of it is an outcome, and not a dead actor."""

    def __init__(self, settings: WorkSettings, open_worker: OpenWorker) -> None:
        self._settings = settings
        self._open_worker = open_worker
        self._worker: Worker | None = None

    def ready(self) -> None:
        """It has been started."""

    def work(self, job: Job) -> Outcome:
        """The outcome of a job."""
        if self._worker is None:
            try:
                self._worker = self._open_worker(self._settings)
            except CmsnError as error:
                return Broken(str(error))
        return outcome_of(self._worker, job)
