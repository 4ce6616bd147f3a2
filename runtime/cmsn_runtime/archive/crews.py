"""Workers of an archive, wherever they run: each computes one video at a time, and may die with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from cmsn_runtime.archive.working import Done, Job, Unreadable, WorkSettings


@dataclass(frozen=True, slots=True)
class Died:
    """The worker died with the job: out of memory, killed, its machine gone. reason: as far as it is known."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The worker cannot work at all, whatever the video: its bundle, its backend or the place of results fails."""

    reason: str


Outcome = Done | Unreadable | Died | Broken


class Crew(Protocol):
    """Workers that are replaced when they die. Not thread-safe."""

    @property
    def free(self) -> int:
        """Workers that wait for a job; those that are still starting are not among them."""
        ...

    def submit(self, job: Job) -> None:
        """Give a job to a free worker; there must be one."""
        ...

    def wait(self, seconds: float) -> list[tuple[Job, Outcome]]:
        """Jobs that ended, waiting for one, or for a free worker, at most so long."""
        ...

    def close(self) -> None:
        """End all workers at once; what they were computing is lost."""
        ...

    def __enter__(self) -> Crew: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


OpenCrew = Callable[[WorkSettings], Crew]
