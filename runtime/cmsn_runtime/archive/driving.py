"""Gives the videos of an archive to workers, the longest first, and sets aside those that kill them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from cmsn_runtime.archive.claims import Claims
from cmsn_runtime.archive.crews import Broken, Crew, Died, Outcome
from cmsn_runtime.archive.records import SetAside, aside_bytes
from cmsn_runtime.archive.splitting.parts import Part
from cmsn_runtime.archive.stores import Store
from cmsn_runtime.archive.working import Done, Job, Unreadable
from cmsn_runtime.errors import BackendError, SourceError
from cmsn_runtime.stopping import raise_if_stopped

Split = Callable[[Job], Sequence[Part]]

ATTEMPTS = 3  # of a video whose worker dies
_WAIT_SECONDS = 0.5
_WHOLE = -1


@dataclass(slots=True)
class Progress:
    """How far an archive is. wanted: videos to compute. seconds: of video that were computed.

    undivided: why long videos could not be computed in parts.
    """

    wanted: int
    done: int = 0
    seconds: float = 0.0
    incomplete: int = 0
    proposals: int = 0
    deaths: int = 0
    elsewhere: int = 0
    aside: list[SetAside] = field(default_factory=list)
    undivided: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Videos without a result or a reason."""
        return self.wanted - self.done - self.elsewhere - len(self.aside)


class Driver:
    """Runs jobs on a crew. claims: those of several drivers that share one place; without, every job is ours.

    split: the parts of a video that are computed side by side; none for one that is computed whole.
    tell: called with the progress after each change.
    """

    def __init__(
        self,
        crew: Crew,
        store: Store,
        *,
        claims: Claims | None = None,
        split: Split = lambda job: [],
        tell: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._crew = crew
        self._store = store
        self._claims = claims
        self._tell = tell
        self._split = split
        self._open: dict[str, int] = {}  # videos of ours: their parts that are still to come
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
                if self._is_of_no_use(job):
                    continue
                if job.key in self._open:
                    self._crew.submit(job)
                    running += 1
                elif self._mine(job):
                    waiting += self._begun(job)
                elif self._has_result(job):
                    self._progress.elsewhere += 1
                    self._tell(self._progress)
                else:
                    blocked.append(job)  # another works on it
            for job, outcome in self._crew.wait(_WAIT_SECONDS) if running or waiting else []:
                running -= 1
                waiting += self._following(job, outcome)
                self._tell(self._progress)
            if not waiting and blocked:  # once more: done, given up, or still theirs
                if not running and self._claims is not None:
                    self._claims.pause()
                waiting, blocked = blocked, []
        return self._progress

    def _mine(self, job: Job) -> bool:
        if self._claims is None:
            return True
        return not self._has_result(job) and self._claims.claim(job.key)

    def _has_result(self, job: Job) -> bool:
        return any(self._store.age(f"{folder}/{job.key}.json") is not None for folder in ("results", "failed"))

    def _begun(self, job: Job) -> list[Job]:
        """A video of ours -> its parts, or itself."""
        try:
            parts = self._split(job)
        except SourceError:
            parts = []  # the worker finds out the same
        self._open[job.key] = len(parts)
        return [replace(job, part=part) for part in reversed(parts)] or [job]

    def _following(self, job: Job, outcome: Outcome) -> list[Job]:
        """Enter an outcome -> what is to be done of this video now."""
        if isinstance(outcome, Broken):
            raise BackendError(f"a worker cannot work: {outcome.reason}")
        if job.part is not None and self._is_of_no_use(job):
            self._store.remove(job.part.name(job.key))
            return []
        if isinstance(outcome, Died):
            self._progress.deaths += 1
            return self._died(job, outcome)
        if job.part is not None:
            return self._part_ended(job, outcome)
        if isinstance(outcome, Unreadable):
            self._set_aside(SetAside(job.key, job.stamp, outcome.reason, 1))
        if isinstance(outcome, Done):
            self._progress.done += 1
            self._progress.seconds += outcome.seconds
            self._progress.incomplete += bool(outcome.incomplete)
            self._progress.proposals += outcome.proposals
        self._end(job)
        return []

    def _is_of_no_use(self, job: Job) -> bool:
        """A part of a video that is computed whole meanwhile, or was set aside."""
        return job.part is not None and self._open[job.key] == _WHOLE

    def _part_ended(self, job: Job, outcome: Outcome) -> list[Job]:
        """Nothing, the pass over all of its parts, or the whole video where it has no exact parts."""
        # Without the features of every part the worker computes it whole; either way it removes those there are.
        after = replace(job, part=None, join=tuple(self._split(job)))
        if isinstance(outcome, Unreadable):
            self._progress.undivided.append(outcome.reason)
            self._open[job.key] = _WHOLE
            return [after]
        self._open[job.key] -= 1
        return [] if self._open[job.key] else [after]

    def _died(self, job: Job, outcome: Died) -> list[Job]:
        tries = self._tries[job.key] = self._tries.get(job.key, self._earlier(job)) + 1
        if self._claims is not None:
            self._claims.note(job.key, tries)
        if tries < ATTEMPTS:
            return [job]
        self._set_aside(SetAside(job.key, job.stamp, f"its worker died {tries} times ({outcome.reason})", tries))
        self._open[job.key] = _WHOLE
        self._end(job)
        return []

    def _earlier(self, job: Job) -> int:
        """Deaths that other drivers have seen."""
        return 0 if self._claims is None else self._claims.tries(job.key)

    def _set_aside(self, aside: SetAside) -> None:
        self._store.write(f"failed/{aside.key}.json", aside_bytes(aside))
        self._progress.aside.append(aside)

    def _end(self, job: Job) -> None:
        """The video has a result or a reason."""
        if self._claims is not None:
            self._claims.release(job.key, ended=True)
