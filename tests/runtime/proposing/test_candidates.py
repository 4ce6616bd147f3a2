"""Candidates and their pre-scores, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cmsn_runtime.proposing.candidates import find_candidates
from cmsn_runtime.proposing.sequences import find_sequences


def candidates_of(text: str, decay: float = 0.09) -> dict[tuple[int, int], float]:
    """Pre-scores by (start, end)."""
    stages = np.array([int(digit) for digit in text], np.int8)
    starts, ends, prescores, _ = find_candidates(stages, find_sequences(stages), decay)
    spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
    assert spans == sorted(spans)
    assert len(set(spans)) == len(spans)
    return dict(zip(spans, prescores.tolist(), strict=True))


def test_one_step_per_stage_gives_one_span() -> None:
    # Start at 1 and End at 3 are the anchors; the one Confirm is both a start and an end.
    near, far = 0.91, 0.91 * 0.91
    expected = {
        (0, 2): far,
        (0, 3): near,
        (0, 4): far,
        (1, 2): near,
        (1, 3): 1.0,
        (1, 4): near,
        (2, 2): far,
        (2, 3): near,
        (2, 4): far,
    }
    assert candidates_of("12345") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("000", []),
        ("3", [(0, 0)]),
        ("333", [(0, 1), (0, 2), (1, 1), (1, 2)]),
        ("3333", [(0, 2), (0, 3), (1, 2), (1, 3)]),
        ("2", []),  # no end
        ("4", []),  # no start
        ("14", []),  # no Start, Confirm or Follow inside
        ("15", [(0, 1)]),
        ("1145", [(0, 3), (1, 3)]),  # the spans that stop at the End hold no core, those to Follow do
        ("42", []),  # cut; and the end lies before the start
        ("2402400", [(0, 1), (3, 4)]),  # never across Background
        ("2424", [(0, 1), (2, 3)]),  # never across a cut
        ("31313", [(0, 0), (0, 2), (0, 4), (1, 2), (1, 4), (2, 2), (2, 4), (3, 4), (4, 4)]),  # each run apart
    ],
)
def test_spans_of_stage_sequences_by_hand(text: str, spans: list[tuple[int, int]]) -> None:
    assert list(candidates_of(text)) == spans


def test_boundaries_reach_eleven_steps() -> None:
    text = "1" * 20 + "2" * 20 + "4" * 20 + "5" * 20  # anchors 20 and 59
    spans = candidates_of(text)
    assert {start for start, _ in spans} == set(range(9, 32))
    assert {end for _, end in spans} == set(range(48, 71))
    assert spans[9, 70] == pytest.approx(0.01 * 0.01)


def test_two_negative_factors_do_not_make_a_score() -> None:
    assert (0, 79) not in candidates_of("1" * 20 + "2" * 20 + "4" * 20 + "5" * 20)


def test_without_decay_all_pairs_of_boundaries_score_equally() -> None:
    assert candidates_of("1" * 30 + "345", decay=0.0) == {
        (start, end): 1.0 for start in range(31) for end in range(30, 33)
    }


def test_owners_give_the_sequence_of_each_candidate() -> None:
    stages = np.array([2, 4, 2, 4, 0, 3], np.int8)
    starts, _, _, owners = find_candidates(stages, find_sequences(stages), 0.09)
    assert starts.tolist() == [0, 2, 5]
    assert owners.tolist() == [0, 1, 2]
