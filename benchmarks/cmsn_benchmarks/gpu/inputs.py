"""Random pictures for the timed hops, the same for every way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

POOL = 4  # different inputs, shown in rotation
POSITION = 8000  # index of the first frame of every timed hop: in the middle of a stream, where nothing is masked


def pictures(cameras: int, shape: tuple[int, ...]) -> list[npt.NDArray[np.uint8]]:
    """POOL chunks of pictures, each uint8 [cameras, *shape]."""
    rng = np.random.default_rng(cameras)
    return [rng.integers(0, 256, (cameras, *shape), dtype=np.uint8) for _ in range(POOL)]
