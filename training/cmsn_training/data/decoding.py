"""Several videos decoded into the cache at a time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from cmsn_runtime.errors import SourceError
from cmsn_training.data.cache import FrameCache


def ensure_all(cache: FrameCache, videos: Sequence[Path], *, decoders: int) -> Generator[None, None, None]:
    """Decode videos unless they are in the cache; yields once for each, in their order, as soon as it is there.

    decoders: processes. With more than one, a program must guard its main module by `if __name__ == "__main__"`.
    Raises as `FrameCache.ensure` does, and SourceError where a process dies.
    """
    if decoders == 1:
        for video in videos:
            cache.ensure(video)
            yield
        return
    # Spawned, not forked: a fork of a process that runs threads (torch's, numba's) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(decoders, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            missing = {video: pool.submit(cache.ensure, video) for video in videos if not cache.holds(video)}
            for video in videos:
                try:
                    if video in missing:
                        missing[video].result()
                except BrokenProcessPool as error:
                    raise SourceError(
                        f"{video}: a decoding process died at it or at one soon after it (out of memory, or a video "
                        "that FFmpeg fails at); with data.decoders = 1 they are decoded one by one"
                    ) from error
                yield
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A killed parent cannot stop its pool, whose processes would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
