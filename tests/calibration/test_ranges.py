"""Distributions that stream by, and the ranges that methods find in them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmsn_calibration.histogram import BINS, NOTHING, Histogram
from cmsn_calibration.ranges import LEVELS, METHODS, find_range, least_squares, percentile, squared_error
from cmsn_runtime.errors import SettingsError


def values(seed: int, count: int = 20_000) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count).astype(np.float32)


def with_outliers() -> np.ndarray:
    """A few values in ten thousand are twenty times as large as the rest."""
    return np.concatenate([values(0), np.full(2, 80.0, np.float32)])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_parts_in_any_order_count_as_all_at_once(order: list[int]) -> None:
    parts = [values(0) * 0.01, values(1), values(2) * 300]
    found = NOTHING
    for place in order:
        found += Histogram.of(parts[place])
    whole = Histogram.of(np.concatenate(parts))
    np.testing.assert_array_equal(found.counts, whole.counts)
    assert (found.top, found.largest) == (whole.top, whole.largest)
    assert found.counts.sum() == 60_000


def test_every_value_is_in_its_bin() -> None:
    found = Histogram.of(np.array([0.0, -3.0, 8.0, 7.999, 0.001]))
    assert found.top == found.largest == 8.0
    assert np.flatnonzero(found.counts).tolist() == [0, 768, BINS - 1]
    assert found.counts[0] == found.counts[-1] == 2


def test_zeros_alone_are_counted_and_have_no_range() -> None:
    nothing = Histogram.of(np.zeros((3, 4))) + NOTHING
    assert (nothing.counts[0], nothing.top) == (12, 0.0)
    assert (nothing + Histogram.of(values(0))).counts.sum() == 20_012
    with pytest.raises(SettingsError, match="all values of a layer are 0"):
        find_range(nothing, "mse")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Histogram.of(np.array([1.0, value]))


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_a_few_outliers_are_clipped(method: str) -> None:
    histogram = Histogram.of(with_outliers())
    assert find_range(histogram, "min-max") == 80.0
    assert 2.0 < find_range(histogram, method) < 10.0


def test_the_squared_error_clips_what_is_too_rare_to_matter() -> None:
    often = Histogram.of(values(0, 100_000))
    histogram = Histogram(often.counts * 100, often.top, often.largest) + Histogram.of(np.array([12.0]))
    assert 3.0 < find_range(histogram, "mse") < 7.0
    assert find_range(often + Histogram.of(np.full(50, 12.0)), "mse") > 11.0


def test_an_outlier_a_hundred_times_as_large_is_clipped_by_every_method_but_one() -> None:
    often = Histogram.of(values(0, 100_000))
    histogram = Histogram(often.counts * 10_000, often.top, often.largest) + Histogram.of(np.array([400.0]))
    assert find_range(histogram, "percentile") < 6.0
    assert find_range(histogram, "mse") < 20.0
    assert find_range(histogram, "entropy") == histogram.edges[LEVELS]  # it needs at least one bin per level


@pytest.mark.parametrize("method", METHODS)
def test_hardly_anything_of_an_even_distribution_is_clipped(method: str) -> None:
    even = np.random.default_rng(0).uniform(-5, 5, 50_000)
    assert find_range(Histogram.of(even), method) == pytest.approx(5.0, rel=0.04)


def test_the_percentile_holds_its_share_of_the_values() -> None:
    sample = values(3)
    found = percentile(Histogram.of(sample), share=0.99)
    assert found == pytest.approx(np.quantile(np.abs(sample), 0.99), abs=2 * 4 / BINS)


def test_the_squared_error_is_that_of_quantising_the_values_themselves() -> None:
    sample = values(4).astype(np.float64)
    histogram = Histogram.of(sample)
    for limit in (1.0, 2.5, 4.0):
        step = limit / 127
        quantised = np.clip(np.round(sample / step), -127, 127) * step
        assert squared_error(histogram, limit) == pytest.approx(np.mean((sample - quantised) ** 2), rel=0.02)


def test_no_other_range_has_a_smaller_squared_error() -> None:
    histogram = Histogram.of(with_outliers())
    best = squared_error(histogram, least_squares(histogram))
    assert all(best <= squared_error(histogram, limit) * 1.02 for limit in np.linspace(1, 80, 500))


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        SettingsError, match=r"the method is 'max'; it must be one of min-max, percentile, mse, entropy"
    ):
        find_range(Histogram.of(values(0)), "max")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_entropy_is_that_of_a_computation_of_its_own(seed: int) -> None:
    """Value by value, without numpy: as TensorRT's documentation describes its entropy calibration."""
    rng = np.random.default_rng(seed)
    values = np.abs(np.append(rng.normal(0, 1 + seed, 20_000), rng.uniform(5, 20, 40))).astype(np.float32)
    histogram = Histogram.of(values)
    counts = [0, *histogram.counts.tolist()[1:]]  # zero is exact
    last = max(place for place, count in enumerate(counts) if count) + 1

    def divergence(end: int) -> float:
        wanted = [float(count) for count in counts[:end]]
        wanted[-1] += sum(counts[end:])
        levels: list[list[int]] = [[] for _ in range(128)]
        for place in range(end):
            levels[place * 128 // end].append(place)
        found = [0.0] * end
        for places in levels:
            filled = [place for place in places if wanted[place]]
            for place in filled:
                found[place] = sum(counts[place] for place in places) / len(filled)
        total, approximate = sum(wanted), sum(found)
        return sum(
            share / total * math.log((share / total) / max(other / approximate, 1e-12))
            for share, other in zip(wanted, found, strict=True)
            if share
        )

    ends = [*range(128, last, 8), last]
    best = min(ends, key=divergence)
    assert find_range(histogram, "entropy") == pytest.approx(min(best * histogram.top / 2048, histogram.largest))
