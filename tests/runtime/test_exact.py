"""Arithmetic by integers agrees with that of Fractions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.exact import beyond, is_before, times

_NUMBERS = st.fractions(min_value=-100, max_value=100, max_denominator=90_000)


@given(st.integers(), _NUMBERS)
def test_ticks_times_their_unit(count: int, unit: Fraction) -> None:
    assert times(count, unit) == count * unit


@given(_NUMBERS, _NUMBERS)
def test_before_means_less(first: Fraction, second: Fraction) -> None:
    assert is_before(first, second) == (first < second)
    assert not is_before(first, first)


@given(_NUMBERS, _NUMBERS, _NUMBERS)
def test_beyond_has_the_sign_of_what_is_left_of_the_difference(
    first: Fraction, second: Fraction, limit: Fraction
) -> None:
    found, expected = beyond(first, second, limit), second - first - limit

    assert (found > 0, found < 0) == (expected > 0, expected < 0)
    assert beyond(first, first + limit, limit) == 0
