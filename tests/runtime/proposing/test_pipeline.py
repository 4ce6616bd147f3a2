"""A whole hop: compiled kernels, plain Python and NumPy agree; the compiled code is kept on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cmsn_benchmarks.references import plain as reference_plain
from cmsn_benchmarks.references import vectorised as reference_numpy
from cmsn_benchmarks.speed.postprocessing import ordered_window, probabilities_of
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing.pipeline import propose, rank
from cmsn_runtime.proposing.settings import NmsKind, ProposalSettings

SETTINGS = ProposalSettings()


def window(text: str) -> npt.NDArray[np.float32]:
    """Probabilities float32 [n, 6] that decode to one digit a step."""
    return probabilities_of(np.array([int(digit) for digit in text], np.int8))


# Any order at all; and runs of stages, which give more and longer spans.
texts = st.text("012345", min_size=1, max_size=96) | st.lists(
    st.tuples(st.sampled_from("012345"), st.integers(1, 12)), min_size=1, max_size=16
).map(lambda runs: "".join(stage * length for stage, length in runs))


@given(texts, st.integers(-2, 100), st.sampled_from([0.0, 0.05, 0.09, 0.3]), st.integers(1, 9))
@example("0" * 96, 0, 0.09, 8)
@example("3", 0, 0.09, 8)
@hypothesis_settings(deadline=None, max_examples=200)
def test_candidates_equal_both_references(text: str, frontier: int, decay: float, bins: int) -> None:
    settings = ProposalSettings(decay=decay, roi_bins=bins)
    probabilities = window(text)
    found = propose(probabilities, frontier=frontier, settings=settings)
    vectorised = reference_numpy.propose(probabilities, frontier, settings)
    plain = reference_plain.propose(probabilities.tolist(), frontier, settings)
    for name in ("stages", "sequences", "starts", "ends", "prescores", "owners", "left", "right"):
        ours, numpys = getattr(found, name), getattr(vectorised, name)
        assert ours.dtype == numpys.dtype, name
        np.testing.assert_array_equal(ours, numpys, err_msg=name)
        np.testing.assert_array_equal(ours.ravel(), np.ravel(getattr(plain, name)), err_msg=name)


@given(
    texts, st.sampled_from(get_args(NmsKind)), st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1, 3, 100])
)
@hypothesis_settings(deadline=None, max_examples=200)
def test_ranking_equals_both_references(text: str, nms: NmsKind, seed: int, keep_all: bool, most: int) -> None:
    settings = ProposalSettings(nms=nms, min_score=0.0 if keep_all else 0.01, max_proposals=most)
    probabilities = window(text)
    found = propose(probabilities, frontier=0, settings=settings)
    scores = np.random.default_rng(seed).random(len(found.starts)).astype(np.float32)
    ranked = rank(found, scores, settings)
    plain = reference_plain.rank(
        reference_plain.propose(probabilities.tolist(), 0, settings), scores.tolist(), settings
    )
    for expected in (reference_numpy.rank(found, scores, settings), plain):
        for name in ("starts", "ends", "owners"):
            np.testing.assert_array_equal(getattr(ranked, name), getattr(expected, name), err_msg=name)
        np.testing.assert_allclose(ranked.scores, expected.scores, rtol=1e-9)


@given(texts)
@hypothesis_settings(deadline=None)
def test_prescores_alone_rank_as_in_both_references(text: str) -> None:
    settings = ProposalSettings(nms="none")
    probabilities = window(text)
    found = propose(probabilities, frontier=0, settings=settings)
    ranked = rank(found, None, settings)
    plain = reference_plain.rank(reference_plain.propose(probabilities.tolist(), 0, settings), None, settings)
    for expected in (reference_numpy.rank(found, None, settings), plain):
        for name in ("starts", "ends", "scores", "owners"):
            np.testing.assert_array_equal(getattr(ranked, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("nms", get_args(NmsKind))
def test_an_action_with_many_proposals_takes_no_place_from_another(nms: NmsKind) -> None:
    """What is kept of an action is what is kept of it alone."""
    settings = ProposalSettings(nms=nms, min_score=0.0, max_proposals=4)
    long, short = "0" + "1" * 8 + "2" * 8 + "3" * 12 + "4" * 8 + "5" * 8 + "0", "0123450"
    both = propose(window(long + short), frontier=0, settings=settings)
    alone = propose(window("0" * len(long) + short), frontier=0, settings=settings)
    ranked, expected = rank(both, None, settings), rank(alone, None, settings)
    mine = ranked.owners == 1
    assert np.bincount(ranked.owners).max() <= 4
    np.testing.assert_array_equal(ranked.starts[mine], expected.starts)
    np.testing.assert_array_equal(ranked.scores[mine], expected.scores)


def test_final_score_is_prescore_times_evaluation() -> None:
    found = propose(window("0123450"), frontier=0, settings=SETTINGS)
    scores = np.zeros(len(found.starts), np.float32)
    best = list(zip(found.starts, found.ends, strict=True)).index((1, 4))  # one step before Start, to End
    scores[best] = 0.5
    ranked = rank(found, scores, SETTINGS)
    assert (ranked.starts.tolist(), ranked.ends.tolist()) == ([1], [4])
    assert ranked.scores == pytest.approx([0.91 * 0.5], rel=1e-6)


def test_steps_before_the_frontier_are_background() -> None:
    found = propose(window("1234512345"), frontier=5, settings=SETTINGS)
    assert found.stages.tolist() == [0] * 5 + [1, 2, 3, 4, 5]
    assert found.sequences.tolist() == [[5, 9, 6, 8]]


def test_ties_between_stages_go_to_the_lower_stage() -> None:
    assert propose(np.full((3, 6), 1 / 6, np.float32), frontier=0, settings=SETTINGS).stages.tolist() == [0, 0, 0]


def test_an_empty_window_gives_nothing() -> None:
    found = propose(np.empty((0, 6), np.float32), frontier=0, settings=SETTINGS)
    assert (len(found.starts), found.left.shape) == (0, (0, 8))
    assert len(rank(found, np.empty(0, np.float32), SETTINGS).starts) == 0


def test_the_worst_ordered_window_has_1058_candidates() -> None:
    found = propose(probabilities_of(ordered_window()), frontier=0, settings=SETTINGS)
    assert repr(found) == "Candidates(96 steps, 2 sequences, 1058 spans)"
    assert found.stages.all()


@pytest.mark.parametrize("shape", [(96,), (96, 5), (1, 96, 6)])
def test_probabilities_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match=r"pass \[n, 6\]"):
        propose(np.zeros(shape, np.float32), frontier=0, settings=SETTINGS)


def test_each_candidate_needs_its_evaluation_score() -> None:
    found = propose(window("12345"), frontier=0, settings=SETTINGS)
    with pytest.raises(SettingsError, match=r"pass \(9,\)"):
        rank(found, np.ones(8, np.float32), SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decay", -0.1),
        ("decay", float("nan")),
        ("nms", "soft"),
        ("sigma", 0.0),
        ("sigma", float("inf")),
        ("iou_threshold", 1.1),
        ("min_score", -0.01),
        ("max_proposals", 0),
        ("roi_bins", 0),
        ("roi_context", -0.1),
        ("roi_context", float("inf")),
    ],
)
def test_settings_outside_their_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"{name} is .*; it must be"):
        ProposalSettings(**{name: value})  # type: ignore[arg-type]


def test_a_second_process_does_without_numba(tmp_path: Path) -> None:
    environment = os.environ | {"CMSN_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}

    def imports_numba() -> bool:
        command = [
            sys.executable,
            "-c",
            "import sys; from cmsn_runtime.proposing.pipeline import warm_up_kernels; warm_up_kernels(); "
            "print('numba' in sys.modules)",
        ]
        return "True" in subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert imports_numba()
    assert not imports_numba()
