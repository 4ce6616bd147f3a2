"""Which candidate proposals train the PES: Big, Middle and Smaller in equal numbers (section 3.4)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cmsn_training.evaluation import tiou_matrix

BIG_TIOU = 0.6
SMALL_TIOU = 0.2


def best_tiou(spans: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Largest tIoU of each span [K, 2] with any true segment [G, 2] -> [K]; zero where there is no truth."""
    if len(truth) == 0:
        return np.zeros(len(spans))
    best: npt.NDArray[np.float64] = tiou_matrix(spans, truth).max(axis=1)
    return best


def balanced_sample(
    tiou: npt.NDArray[np.float64], rng: np.random.Generator, *, least: int = 0
) -> npt.NDArray[np.int64]:
    """Indices of all Big proposals (tIoU > 0.6), and as many Middle (0.2..0.6) and Smaller (below 0.2).

    tiou: [K]. Where a group holds fewer than the Big ones, all of it is used.
    least: the least number drawn of Middle and of Smaller. At the paper's 0 a window without any Big proposal
    contributes nothing, and the PES never sees what the ASS proposes where there is no action.
    """
    big = np.flatnonzero(tiou > BIG_TIOU)
    middle = np.flatnonzero((tiou >= SMALL_TIOU) & (tiou <= BIG_TIOU))
    smaller = np.flatnonzero(tiou < SMALL_TIOU)
    wanted = max(len(big), least)
    chosen = [big]
    chosen += [rng.choice(group, min(wanted, len(group)), replace=False) for group in (middle, smaller)]
    return np.concatenate(chosen).astype(np.int64)
