"""The fastest mix of INT8 and float layers within a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from cmsn_calibration.mixing import Candidate, LayerCost, candidates, layer_costs, search_mix
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.quality import Recall

# "b" spoils most and saves little; "c" spoils as much as "a", and saves ten times as much.
COSTS = [LayerCost("a", 0.02, 0.001), LayerCost("b", 0.05, 0.002), LayerCost("c", 0.02, 0.010)]


def losing(**points: float) -> Callable[[Sequence[str]], Recall]:
    """Recall where each layer in INT8 costs so many points."""
    return lambda floats: Recall(10, 60.0 - sum(cost for name, cost in points.items() if name not in floats), 60.0)


def test_all_layers_come_first_and_then_what_is_gained_for_the_least_time() -> None:
    assert [item.floats for item in candidates(COSTS)] == [(), ("a",), ("b",), ("a", "b")]


def test_a_slower_mix_must_promise_less_noise() -> None:
    found = candidates(COSTS)
    assert [item.seconds for item in found] == sorted(item.seconds for item in found)
    assert all(after.noise < 0.8 * before.noise for before, after in pairwise(found))


def test_no_mix_has_all_layers_float() -> None:
    assert all(len(item.floats) < len(COSTS) for item in candidates(COSTS))


def test_of_many_layers_those_with_the_most_noise_for_their_time_are_left_out() -> None:
    many = [LayerCost(f"layer{number:02}", 2.0**-number, 0.001) for number in range(20)]
    assert [item.floats for item in candidates(many)][:3] == [(), ("layer00",), ("layer00", "layer01")]


def test_a_layer_that_saves_no_time_is_the_first_to_stay_float_but_all_are_tried_before() -> None:
    costs = layer_costs({"a": 30.0, "b": 30.0}, {"a": -0.001, "b": 0.002})
    assert [item.floats for item in candidates(costs)] == [(), ("a",)]
    assert costs[0].noise == pytest.approx(1e-3)


def test_the_search_ends_with_the_first_that_both_sets_find_good_enough() -> None:
    tries = [Candidate((), 3, 0), Candidate(("a",), 2, 1), Candidate(("b",), 1, 2), Candidate(("a", "b"), 0.5, 3)]
    mixes = list(search_mix(tries, losing(a=1, b=0), losing(a=0, b=1), most_drop=0.5))
    assert [mix.floats for mix in mixes] == [(), ("a",), ("b",), ("a", "b")]
    assert [mix.judged is None for mix in mixes] == [True, False, True, False]  # judged only where it was good enough
    assert [mix.within(0.5) for mix in mixes] == [False, False, False, True]


def test_it_is_refused_where_only_the_float_network_is_good_enough() -> None:
    tries = [Candidate((), 3, 0), Candidate(("a",), 2, 1)]
    tried: list[object] = []
    with pytest.raises(
        SettingsError,
        match=r"each of the 2 mixes that were tried loses more than 0\.5 points of AR@10 \(the one with the least "
        r"noise 1\.00\); nothing was",
    ):
        tried.extend(search_mix(tries, losing(a=2, b=1), losing(), most_drop=0.5))
    assert len(tried) == 2


def test_a_gain_is_no_loss() -> None:
    (only,) = search_mix([Candidate((), 1, 0)], losing(a=-1), losing(a=-1), most_drop=0.0)
    assert only.chosen.drop == -1.0


def test_a_drop_of_just_the_budget_is_within_it() -> None:
    recall = Recall(10, 28.391, 28.891)  # differ by 0.5 and a rounding error
    (only,) = search_mix([Candidate((), 1, 0)], lambda floats: recall, lambda floats: recall, most_drop=0.5)
    assert only.within(0.5)
