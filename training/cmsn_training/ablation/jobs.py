"""Many jobs of one kind, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cmsn_runtime.errors import BackendError
from cmsn_training.workers import worker_pool

Job = TypeVar("Job")
Result = TypeVar("Result")


def each(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, done: Callable[[], object]
) -> list[Result]:
    """Results of work(job) in the order of the jobs. Raises what `work` does, and BackendError where a process dies."""
    if workers == 1:
        return [_alone(work, job, done) for job in jobs]
    with worker_pool(workers, prepare=_single_thread) as pool:
        futures = {pool.submit(work, job): index for index, job in enumerate(jobs)}
        try:
            found = {futures[future]: _finished(future.result(), done) for future in as_completed(futures)}
        except BrokenProcessPool as error:
            raise BackendError(
                f"one of {workers} processes died (out of memory?); lower --workers; finished ones are kept"
            ) from error
    return [found[index] for index in range(len(jobs))]


def _alone(work: Callable[[Job], Result], job: Job, done: Callable[[], object]) -> Result:
    return _finished(work(job), done)


def _finished(result: Result, done: Callable[[], object]) -> Result:
    done()
    return result


def _single_thread() -> None:
    """Several trainings in parallel, each on one core: small networks gain nothing from more."""
    import torch

    torch.set_num_threads(1)
