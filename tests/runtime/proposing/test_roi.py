"""Two look-ups in the sparse table are the maximum over each bin, for every span there is."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from cmsn_runtime.proposing.roi import roi_indices, roi_levels, sparse_max_table


@pytest.mark.parametrize(
    ("steps", "levels"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (63, 6), (64, 7), (96, 7), (128, 8)]
)
def test_pooling_levels_by_hand(steps: int, levels: int) -> None:
    assert roi_levels(steps) == levels


def test_the_table_of_maxima_is_clipped_at_the_end() -> None:
    features = np.array([[3], [1], [2], [0], [1]], np.float32)
    assert sparse_max_table(features)[:, 0].tolist() == [3, 1, 2, 0, 1, 3, 2, 2, 1, 1, 3, 2, 2, 1, 1]


def test_table_rows_of_a_span_by_hand() -> None:
    # Six steps from 1 in four bins: [1, 3), [2, 4), [4, 6), [5, 7): all two wide, so level 1, one look-up.
    left, right = roi_indices(np.array([1], np.int32), np.array([6], np.int32), 10, 4)
    assert left.dtype == right.dtype == np.int64
    assert left.tolist() == right.tolist() == [[11, 12, 14, 15]]


@pytest.mark.parametrize("steps", [1, 2, 7, 33, 96])
@pytest.mark.parametrize("bins", [1, 3, 8, 16])
def test_every_span_pools_to_the_maximum_of_its_bins(steps: int, bins: int) -> None:
    features = np.random.default_rng(steps).normal(size=(steps, 2)).astype(np.float32)
    starts, ends = (side.astype(np.int32) for side in np.triu_indices(steps))
    left, right = roi_indices(starts, ends, steps, bins)
    table = sparse_max_table(features)
    pooled = np.maximum(table[left], table[right])
    for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        length = end - start + 1
        for b in range(bins):
            low, high = start + b * length // bins, start + -(-(b + 1) * length // bins)
            assert (pooled[k, b] == features[low:high].max(axis=0)).all()


def test_rows_of_the_context_by_hand() -> None:
    # Four steps from 4, a quarter of them on each side, in six bins of one step: 3, 4, 5, 6, 7, 8; level 0.
    left, right = roi_indices(np.array([4], np.int32), np.array([7], np.int32), 10, 6, 0.25)
    assert left.tolist() == right.tolist() == [[3, 4, 5, 6, 7, 8]]
    # At the window's ends the bins beyond show its first and last step.
    left, _ = roi_indices(np.array([0, 6], np.int32), np.array([3, 9], np.int32), 10, 6, 0.25)
    assert left.tolist() == [[0, 0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 9]]


@pytest.mark.parametrize("steps", [1, 2, 7, 33])
@pytest.mark.parametrize("bins", [1, 5, 12])
@pytest.mark.parametrize("context", [Fraction(1, 4), Fraction(1, 10), Fraction(3, 2)])
def test_context_pools_the_steps_that_each_part_touches(steps: int, bins: int, context: Fraction) -> None:
    features = np.random.default_rng(steps).normal(size=(steps, 2)).astype(np.float32)
    starts, ends = (side.astype(np.int32) for side in np.triu_indices(steps))
    left, right = roi_indices(starts, ends, steps, bins, float(context))
    table = sparse_max_table(features)
    pooled = np.maximum(table[left], table[right])
    for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        length = end - start + 1
        part = length * (1 + 2 * context) / bins
        for b in range(bins):
            low = math.floor(start - length * context + b * part)
            high = math.ceil(start - length * context + (b + 1) * part)
            seen = [min(max(step, 0), steps - 1) for step in range(low, high)]
            assert (pooled[k, b] == features[seen].max(axis=0)).all()


def test_the_part_of_a_span_beyond_the_window_covers_its_last_step() -> None:
    """Also where a span is longer than the window: the machine code must not write beyond its tables."""
    for steps in (1, 2, 5):
        features = np.random.default_rng(steps).normal(size=(steps, 2)).astype(np.float32)
        starts, ends = (side.astype(np.int32) for side in np.triu_indices(40 * steps))
        within = starts < steps
        starts, ends = starts[within], ends[within]
        left, right = roi_indices(starts, ends, steps, 3)
        table = sparse_max_table(features)
        pooled = np.maximum(table[left], table[right])
        for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            length = end - start + 1
            for b in range(3):
                low, high = start + b * length // 3, start - (-(b + 1) * length // 3)
                seen = [min(step, steps - 1) for step in range(low, high)]
                assert (pooled[k, b] == features[seen].max(axis=0)).all()


def test_no_spans_give_no_rows() -> None:
    none = np.empty(0, np.int32)
    left, right = roi_indices(none, none, 96, 8)
    assert left.shape == right.shape == (0, 8)
