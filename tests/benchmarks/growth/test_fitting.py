"""Fits recover the exponents that synthetic costs were made with, and show where costs are no power."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cmsn_benchmarks.growth.fitting import fit_growth, fit_slope

SIZES = (1 / 60, 1, 2, 4, 8, 16, 32)
Costs = list[list[float]]


def costs_of(curve: Callable[[float], float], *, noise: float, seed: int, rounds: int = 5) -> Costs:
    """Costs of each size in each round, with a relative deviation."""
    rng = np.random.default_rng(seed)
    return [[curve(size) * float(np.exp(noise * rng.standard_normal())) for _ in range(rounds)] for size in SIZES]


@pytest.mark.parametrize("base", [0.0, 0.8, 5.0])
@pytest.mark.parametrize("exponent", [0.5, 0.95, 1.0, 1.05, 2.0])
def test_the_exponent_of_noisy_costs_is_recovered_whatever_the_start_costs(exponent: float, base: float) -> None:
    growths = [
        fit_growth(SIZES, costs_of(lambda size: base + 1.2 * size**exponent, noise=0.02, seed=seed))
        for seed in range(12)
    ]
    assert np.mean([growth.exponent for growth in growths]) == pytest.approx(exponent, abs=0.02)
    assert sum(growth.low <= exponent <= growth.high for growth in growths) >= 9  # 95 % of 12 are 11.4
    assert all(growth.suits for growth in growths)
    assert all(growth.at(32) == pytest.approx(base + 1.2 * 32**exponent, rel=0.05) for growth in growths)


def test_without_noise_all_three_constants_are_exact() -> None:
    growth = fit_growth(SIZES, costs_of(lambda size: 0.7 + 1.3 * size**1.05, noise=0, seed=0))
    assert (growth.base, growth.rate, growth.exponent) == pytest.approx((0.7, 1.3, 1.05), abs=1e-3)


def test_an_exponent_just_beyond_a_bound_is_told_from_one_within() -> None:
    """1.1 over five octaves is 41 % more than 1.0: more than the interval's width."""
    growth = fit_growth(SIZES, costs_of(lambda size: 0.8 + 1.2 * size**1.1, noise=0.02, seed=1))
    assert growth.low > 1.05


def test_a_start_makes_the_line_of_a_log_log_picture_too_flat() -> None:
    costs = costs_of(lambda size: 3 + 1.2 * size, noise=0.02, seed=0)
    line = fit_growth(SIZES, costs, with_base=False)
    assert line.exponent < 0.7
    assert not line.suits
    assert fit_growth(SIZES, costs).exponent == pytest.approx(1, abs=0.05)


def test_a_constant_cost_has_the_exponent_0_and_no_slope() -> None:
    costs = costs_of(lambda _: 240.0, noise=0.005, seed=2)
    line = fit_growth(SIZES, costs, with_base=False)
    assert line.low <= 0 <= line.high
    assert line.high - line.low < 0.01
    slope = fit_slope(SIZES, costs)
    assert slope.low <= 0 <= slope.high


@pytest.mark.parametrize("seed", range(5))
def test_the_slope_of_a_line_is_recovered(seed: int) -> None:
    slope = fit_slope(SIZES, costs_of(lambda size: 240 + 2.5 * size, noise=0.002, seed=seed))
    assert slope.slope == pytest.approx(2.5, abs=0.1)
    assert slope.low < slope.slope < slope.high < slope.low + 0.3


@pytest.mark.parametrize(
    "curve",
    [
        pytest.param(lambda size: 1.0 if size < 8 else 4.0, id="a step"),
        pytest.param(lambda size: size if size < 8 else size**2 / 8, id="two powers"),
        pytest.param(lambda size: 2 + np.sin(3 * size), id="a wave"),
    ],
)
def test_costs_that_grow_as_no_power_do_not_suit(curve: Callable[[float], float]) -> None:
    assert not fit_growth(SIZES, costs_of(curve, noise=0.01, seed=0)).suits


def test_more_noise_makes_the_interval_wider() -> None:
    widths = []
    for noise in (0.005, 0.02, 0.08):
        growth = fit_growth(SIZES, costs_of(lambda size: 1 + size, noise=noise, seed=3))
        widths.append(growth.high - growth.low)
    assert widths == sorted(widths)
    assert widths[2] > 4 * widths[0]


def test_a_base_is_never_negative() -> None:
    """Costs of which the free fit would have begun below 0."""
    growth = fit_growth((1, 2, 4, 8), [[0.5, 0.5], [1.6, 1.6], [3.8, 3.8], [8.2, 8.2]])
    assert growth.base == 0


@pytest.mark.parametrize(
    ("sizes", "costs", "words"),
    [
        ((1, 2, 4), [[1, 1]] * 3, "4 or more"),
        ((0, 1, 2, 4), [[1, 1]] * 4, "above 0"),
        ((1, 2, 4, 8), [[1, 1]] * 3, "for each size"),
        ((1, 2, 4, 8), [[1]] * 4, "two or more rounds"),
        ((1, 2, 4, 8), [[1, 1], [1, 1], [1, 0], [1, 1]], "above 0"),
        ((1, 2, 4, 8), [[1, 1], [1, 1], [1, float("nan")], [1, 1]], "finite"),
    ],
)
def test_what_cannot_be_fitted_is_refused(sizes: tuple[float, ...], costs: Costs, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_growth(sizes, costs)
