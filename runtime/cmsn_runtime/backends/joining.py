"""Several windows as one: the evaluator takes the proposals of many cameras in one run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from cmsn_runtime.backends.asks import Evaluate, Floats, Rows


def joined_rows(asks: Sequence[Evaluate]) -> tuple[Rows, Rows]:
    """Table rows of all asks, for their windows concatenated -> left, right int64 [sum of K, bins].

    Row level * n + i of a window of n steps is row level * N + begin + i of the joined table of N steps. A proposal's
    rows stay within its own window, so its neighbours have no effect.
    """
    begins = list(itertools.accumulate((len(ask.window) for ask in asks), initial=0))
    placed = list(zip(asks, begins, strict=False))  # the last of the begins is the end of all windows
    left = [rebased(ask.left, len(ask.window), begins[-1], begin) for ask, begin in placed]
    right = [rebased(ask.right, len(ask.window), begins[-1], begin) for ask, begin in placed]
    return np.concatenate(left), np.concatenate(right)


def split_scores(scores: Floats, asks: Sequence[Evaluate]) -> list[Floats]:
    """Scores float32 [sum of K] of joined rows -> those of each ask."""
    return np.split(scores, np.cumsum([len(ask.left) for ask in asks])[:-1])


def rebased(rows: Rows, steps: int, total: int, begin: int) -> Rows:
    """Table rows of a window of n steps -> rows of the joined table of `total` steps, in which it begins at `begin`."""
    levels, places = np.divmod(rows, steps)
    joined: Rows = levels * total + places + begin
    return joined
