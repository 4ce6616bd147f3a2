"""Finds the largest number that still fits: doubling, then halving the distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """most: the largest number that fitted, 0 where none did. exact: whether one more was tried and did not."""

    most: int
    exact: bool


def search_most(fits: Callable[[int], bool], *, first: int, most: int, go_on: Callable[[], bool]) -> Found:
    """Try numbers from 1 to `most`, beginning with `first`, for as long as `go_on` says; the first is tried anyway."""
    fitting, failing = 0, most + 1
    number = min(max(1, first), most)
    while True:
        if fits(number):
            fitting = number
        else:
            failing = number
        if failing - fitting <= 1:
            return Found(fitting, exact=failing <= most)
        if not go_on():
            return Found(fitting, exact=False)
        number = min(2 * number, most) if failing > most else (fitting + failing) // 2
