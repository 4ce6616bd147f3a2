"""Sequences and their anchors, worked by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cmsn_runtime.proposing.sequences import find_sequences


def stages_of(text: str) -> npt.NDArray[np.int8]:
    """One digit a step."""
    return np.array([int(digit) for digit in text], np.int8)


@pytest.mark.parametrize(
    ("text", "stretches"),
    [
        ("", []),
        ("000", []),
        ("3", [(0, 0)]),
        ("011223344550", [(1, 10)]),
        ("12345012345", [(0, 4), (6, 10)]),
        ("1234512345", [(0, 4), (5, 9)]),
        ("12342345", [(0, 3), (4, 7)]),  # End, Start
        ("12341", [(0, 3), (4, 4)]),  # End, Ready
        ("12352", [(0, 3), (4, 4)]),  # Follow, Start
        ("1234345", [(0, 6)]),  # back from End to Confirm is the same action
        ("1235453", [(0, 6)]),
        ("321", [(0, 2)]),  # out of order, but nothing has ended
    ],
)
def test_sequences_are_cut_as_by_hand(text: str, stretches: list[tuple[int, int]]) -> None:
    sequences = find_sequences(stages_of(text))
    assert sequences.dtype == np.int32
    assert sequences.shape == (len(stretches), 4)
    assert [(row[0], row[1]) for row in sequences.tolist()] == stretches


@pytest.mark.parametrize(
    ("text", "start_anchor", "end_anchor"),
    [
        ("11223344550", 2, 7),  # first Start, last End
        ("1232344345", 1, 8),  # of several, too
        ("1133455", 2, 4),  # no Start: the first Confirm after Ready
        ("1223355", 1, 4),  # no End: the last Confirm before Follow
        ("1143355", 3, 2),  # a Confirm that does not touch Ready is still the first after it
        ("11144", 3, 4),  # no Confirm either: the first step that is not Ready
        ("22555", 0, 1),  # ... the last that is not Follow
        ("331144", 0, 5),  # Confirm before Ready is no boundary
        ("55331", 0, 4),  # Confirm after Follow is none
        ("111", 0, 2),  # nothing but Ready
        ("555", 0, 2),  # nothing but Follow
        ("15", 1, 0),
    ],
)
def test_anchors_of_sequences_by_hand(text: str, start_anchor: int, end_anchor: int) -> None:
    ((_, _, found_start, found_end),) = find_sequences(stages_of(text)).tolist()
    assert (found_start, found_end) == (start_anchor, end_anchor)


@given(st.text("012345", max_size=130))
@hypothesis_settings(deadline=None)
def test_sequences_cover_all_but_background_and_hold_their_anchors(text: str) -> None:
    covered = np.zeros(len(text), int)
    for first, last, start_anchor, end_anchor in find_sequences(stages_of(text)).tolist():
        assert first <= start_anchor <= last
        assert first <= end_anchor <= last
        covered[first : last + 1] += 1
    assert covered.tolist() == [int(digit != "0") for digit in text]
