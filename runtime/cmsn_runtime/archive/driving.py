"""Gives the videos of an archive to workers, the longest first, and sets aside those that kill them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cmsn_runtime.archive.claims import Claims
from cmsn_runtime.archive.crews import Broken, Crew, Died, Outcome
from cmsn_runtime.archive.records import SetAside, aside_bytes
from cmsn_runtime.archive.stores import Store
from cmsn_runtime.archive.working import Done, Job, Unreadable
from cmsn_runtime.errors import BackendError
from cmsn_runtime.stopping import raise_if_stopped

ATTEMPTS = 3  # of a video whose worker dies
_WAIT_SECONDS = 0.5


@dataclass(slots=True)
class Progress:
    """How far an archive is. wanted: videos to compute. seconds: of video that were computed."""

    wanted: int
    done: int = 0
    seconds: float = 0.0
    incomplete: int = 0
    proposals: int = 0
    deaths: int = 0
    elsewhere: int = 0
    aside: list[SetAside] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Videos without a result or a reason."""
        return self.wanted - self.done - self.elsewhere - len(self.aside)


class Driver:
    """Runs jobs on a crew. claims: those of several drivers that share one place; without, every job is ours.

    tell: called with the progress after each change.
    """

    def __init__(
        self,
        crew: Crew,
        store: Store,
        *,
        claims: Claims | None = None,
        tell: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._crew = crew
        self._store = store
        self._claims = claims
        self._tell = tell
        self._tries: dict[str, int] = {}
        self._progress = Progress(0)

    def run(self, jobs: Iterable[Job]) -> Progress:
        """Compute them all; the longest first, so that none is left over at the end.

        Raises BackendError where a worker cannot work at all, and what the store and a signal raise: results that are
        written stay, and the same call goes on from there.
        """
        waiting = sorted(jobs, key=lambda job: job.stamp.size)  # taken from the end
        self._progress = Progress(len(waiting))
        running = 0
        blocked: list[Job] = []
        while waiting or running or blocked:
            raise_if_stopped()
            while waiting and self._crew.free:
                job = waiting.pop()
                if self._mine(job):
                    self._crew.submit(job)
                    running += 1
                elif self._has_result(job):
                    self._progress.elsewhere += 1
                    self._tell(self._progress)
                else:
                    blocked.append(job)  # another works on it
            for job, outcome in self._crew.wait(_WAIT_SECONDS) if running or waiting else []:
                running -= 1
                if self._again(job, outcome):
                    waiting.append(job)
                self._tell(self._progress)
            if not waiting and blocked:
                waiting, blocked = self._free(blocked, idle=not running)
        return self._progress

    def _free(self, blocked: list[Job], *, idle: bool) -> tuple[list[Job], list[Job]]:
        """Jobs of others once more: done, given up, or still theirs."""
        if idle and self._claims is not None:
            self._claims.pause()
        return blocked, []

    def _mine(self, job: Job) -> bool:
        if self._claims is None:
            return True
        return not self._has_result(job) and self._claims.claim(job.key)

    def _has_result(self, job: Job) -> bool:
        return any(self._store.age(f"{folder}/{job.key}.json") is not None for folder in ("results", "failed"))

    def _again(self, job: Job, outcome: Outcome) -> bool:
        """Enter an outcome -> whether the job is tried once more."""
        if isinstance(outcome, Broken):
            raise BackendError(f"a worker cannot work: {outcome.reason}")
        if isinstance(outcome, Died):
            self._progress.deaths += 1
            return self._died(job, outcome)
        if isinstance(outcome, Unreadable):
            self._set_aside(SetAside(job.key, job.stamp, outcome.reason, 1))
        if isinstance(outcome, Done):
            self._progress.done += 1
            self._progress.seconds += outcome.seconds
            self._progress.incomplete += bool(outcome.incomplete)
            self._progress.proposals += outcome.proposals
        self._release(job)
        return False

    def _died(self, job: Job, outcome: Died) -> bool:
        tries = self._tries[job.key] = self._tries.get(job.key, self._earlier(job)) + 1
        if self._claims is not None:
            self._claims.note(job.key, tries)
        if tries < ATTEMPTS:
            self._release(job, ended=False)
            return True
        self._set_aside(SetAside(job.key, job.stamp, f"its worker died {tries} times ({outcome.reason})", tries))
        self._release(job)
        return False

    def _earlier(self, job: Job) -> int:
        """Deaths that other drivers have seen."""
        return 0 if self._claims is None else self._claims.tries(job.key)

    def _set_aside(self, aside: SetAside) -> None:
        self._store.write(f"failed/{aside.key}.json", aside_bytes(aside))
        self._progress.aside.append(aside)

    def _release(self, job: Job, *, ended: bool = True) -> None:
        if self._claims is not None:
            self._claims.release(job.key, ended=ended)
