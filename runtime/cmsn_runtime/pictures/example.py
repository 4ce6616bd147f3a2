"""Pictures on which networks are compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def moving_picture(
    rng: np.random.Generator, size: tuple[int, int], count: int, *, channels: int = 3
) -> npt.NDArray[np.uint8]:
    """Frames with structure and motion, since noise alone hardly activates a network: uint8 [count, height, width, 3].

    size: (height, width). channels: 5 for pictures with flow, which here is a moving picture of its own.
    """
    height, width = size
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, channels))
    still = np.kron(coarse, np.ones((8, 8, 1), dtype=np.int64))
    offsets = (8 * (1 + np.sin(np.arange(count) / 5)) / 2).astype(int)
    moving = np.stack([still[offset : offset + height, offset : offset + width] for offset in offsets])
    noisy: npt.NDArray[np.uint8] = np.clip(moving + rng.integers(-8, 9, moving.shape), 0, 255).astype(np.uint8)
    return noisy
