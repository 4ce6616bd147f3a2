"""Several windows as one: the evaluator takes the proposals of many cameras in one run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmsn_runtime.backends.asks import Evaluate, Floats, Rows


def joined_rows(asks: Sequence[Evaluate]) -> tuple[Rows, Rows]:
    """Table rows of all asks, for their windows laid one behind the other -> left, right int64 [sum of K, bins].

    Row level * n + i of a window of n steps is row level * N + begin + i of the joined table of N steps. A proposal's
    rows stay within its own window, so that the neighbours change nothing.
    """
    total = sum(len(ask.window) for ask in asks)
    begins = np.cumsum([0, *(len(ask.window) for ask in asks)])
    left, right = (
        np.concatenate([rebased(rows, len(ask.window), total, int(begin)) for rows, ask, begin in parts])
        for parts in (
            zip((ask.left for ask in asks), asks, begins, strict=False),
            zip((ask.right for ask in asks), asks, begins, strict=False),
        )
    )
    return left, right


def split_scores(scores: Floats, asks: Sequence[Evaluate]) -> list[Floats]:
    """Scores float32 [sum of K] of joined rows -> those of each ask."""
    return np.split(scores, np.cumsum([len(ask.left) for ask in asks])[:-1])


def rebased(rows: Rows, steps: int, total: int, begin: int) -> Rows:
    """Table rows of a window of n steps -> rows of the joined table of `total` steps, in which it begins at `begin`."""
    levels, places = np.divmod(rows, steps)
    joined: Rows = levels * total + places + begin
    return joined
