"""More decodings with less Background: their candidates together, each once, in sequences that hold them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing.pipeline import propose, rank
from cmsn_runtime.proposing.settings import ProposalSettings

FACTORS = (0.3, 0.05)


def random_probabilities(seed: int, steps: int) -> npt.NDArray[np.float32]:
    raw = np.random.default_rng(seed).dirichlet([2.0, 1, 1, 1, 1, 1], steps)
    return raw.astype(np.float32)


def spans_of(probabilities: npt.NDArray[np.float32], settings: ProposalSettings) -> dict[tuple[int, int], float]:
    found = propose(probabilities, frontier=0, settings=settings)
    spans = list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))
    assert len(set(spans)) == len(spans)
    return dict(zip(spans, found.prescores.tolist(), strict=True))


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 60))
def test_candidates_of_all_decodings_are_merged_by_their_best_prescore(seed: int, steps: int) -> None:
    probabilities = random_probabilities(seed, steps)
    expected = spans_of(probabilities, ProposalSettings())
    for factor in FACTORS:
        bolder = probabilities.copy()
        bolder[:, 0] *= factor
        for span, prescore in spans_of(bolder, ProposalSettings()).items():
            expected[span] = max(prescore, expected.get(span, 0.0))
    assert spans_of(probabilities, ProposalSettings(background=FACTORS)) == expected


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 60), frontier=st.integers(-3, 30))
def test_every_span_of_a_bolder_decoding_lies_in_its_sequence(seed: int, steps: int, frontier: int) -> None:
    settings = ProposalSettings(background=FACTORS, nms="none")
    found = propose(random_probabilities(seed, steps), frontier=frontier, settings=settings)
    sequences = found.sequences[found.owners]
    assert (found.starts >= sequences[:, 0]).all()
    assert (found.ends <= sequences[:, 1]).all()
    assert (found.starts >= frontier).all()
    assert (np.diff(found.owners) >= 0).all()
    assert found.left.shape == (len(found), settings.roi_bins)


def test_evaluation_scores_are_raised_to_their_power() -> None:
    found = propose(random_probabilities(3, 40), frontier=0, settings=ProposalSettings())
    scores = np.linspace(0.1, 0.9, len(found)).astype(np.float32)
    plain = rank(found, scores, ProposalSettings(nms="none", max_proposals=1000, min_score=0.0))
    squared = rank(found, scores, ProposalSettings(nms="none", max_proposals=1000, min_score=0.0, pes_power=2.0))
    assert sorted(plain.scores) == pytest.approx(sorted(found.prescores * scores), rel=1e-6)
    assert sorted(squared.scores) == pytest.approx(sorted(found.prescores * scores.astype(float) ** 2), rel=1e-6)


@pytest.mark.parametrize("change", [{"background": (0.0,)}, {"background": (1.0,)}, {"pes_power": 0.0}])
def test_settings_of_bolder_decoding_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(change))):
        ProposalSettings(**change)  # type: ignore[arg-type]
