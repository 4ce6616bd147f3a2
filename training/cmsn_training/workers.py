"""Processes that share work, and end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType

Preparation = Callable[[], object]

_SECONDS_BETWEEN_SIGNALS = 0.2


@contextmanager
def worker_pool(processes: int, *, prepare: Preparation | None = None) -> Iterator[ProcessPoolExecutor]:
    """A pool that ends at once, abandoning its work, where the block ends by an exception or a signal.

    prepare: is called in each process first. Spawned, not forked: a fork of a process with threads (torch's,
    numba's) may hang. A program that uses this must guard its main module by `if __name__ == "__main__"`.
    """
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(prepare,))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _end_all(set(multiprocessing.active_children()) - others)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end_all(processes: Iterable[BaseProcess]) -> None:
    """Each process has queued jobs, and SIGTERM interrupts only the current one: it is sent until all have ended."""
    alive = list(processes)
    while alive:
        for process in alive:
            process.terminate()
        for process in alive:
            process.join(_SECONDS_BETWEEN_SIGNALS)
        alive = [process for process in alive if process.is_alive()]


def _begin(prepare: Preparation | None) -> None:
    # Ctrl-C in a terminal reaches every process of the program; the parent process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()
    if prepare is not None:
        prepare()


def _end(number: int, frame: FrameType | None) -> None:
    """Raise an exception, so that unfinished files are removed."""
    sys.exit(128 + number)


def _exit_after(parent: BaseProcess) -> None:
    """A killed parent cannot stop its pool, whose processes would wait for work forever."""
    parent.join()
    os._exit(1)
