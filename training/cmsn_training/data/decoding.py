"""Several videos decoded into the cache in parallel, each in its own process."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from cmsn_runtime.errors import SourceError
from cmsn_training.data.video_cache import VideoCache
from cmsn_training.workers import worker_pool


def ensure_all(cache: VideoCache[Any], videos: Sequence[Path], *, decoders: int) -> Generator[None, None, None]:
    """Decode videos unless they are in the cache; yields once for each, in order, as soon as it is ready.

    decoders: processes, see `worker_pool`. Raises as `VideoCache.ensure` does, and SourceError where a process dies.
    """
    if decoders == 1:
        for video in videos:
            cache.ensure(video)
            yield
        return
    with worker_pool(decoders) as pool:
        missing = {video: pool.submit(cache.ensure, video) for video in videos if not cache.holds(video)}
        for video in videos:
            try:
                if video in missing:
                    missing[video].result()
            except BrokenProcessPool as error:
                raise SourceError(
                    f"{video}: a decoding process died at this video or one soon after it (out of memory, or a video "
                    "that crashes FFmpeg); set data.decoders = 1 to decode them one by one"
                ) from error
            yield
