"""Exact arithmetic on times that is done for every frame: by the integers of Fractions, not by their slow operators."""

from __future__ import annotations

from fractions import Fraction


def times(count: int, unit: Fraction) -> Fraction:
    """count * unit."""
    return Fraction(count * unit.numerator, unit.denominator)


def is_before(first: Fraction, second: Fraction) -> bool:
    """first < second."""
    return first.numerator * second.denominator < second.numerator * first.denominator


def beyond(first: Fraction, second: Fraction, limit: Fraction) -> int:
    """Above 0 where `second` is more than `limit` after `first`; 0 where it is just that; below 0 where it is less."""
    apart = second.numerator * first.denominator - first.numerator * second.denominator
    return apart * limit.denominator - limit.numerator * first.denominator * second.denominator
