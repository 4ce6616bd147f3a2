"""The mix of INT8 and float layers within a budget."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cmsn_calibration.choosing import LayerRange
from cmsn_calibration.mixing import search_mix
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.quality import Recall

RANGES = [LayerRange(name, "mse", 1.0, 1.0, noise) for name, noise in (("a", 50.0), ("b", 20.0), ("c", 35.0))]


def recall(floats: Sequence[str]) -> Recall:
    """Each of the layers b and c costs two points in INT8, and a costs one."""
    return Recall(10, 60.0 - sum(cost for name, cost in (("a", 1), ("b", 2), ("c", 2)) if name not in floats), 60.0)


def test_all_layers_are_int8_where_that_is_good_enough() -> None:
    (only,) = search_mix(RANGES, recall, most_drop=5.0)
    assert only.floats == ()


def test_the_most_damaging_layers_stay_float_one_after_another() -> None:
    assert [mix.floats for mix in search_mix(RANGES, recall, most_drop=1.0)] == [(), ("b",), ("b", "c")]


def test_it_is_refused_where_only_the_float_network_is_good_enough() -> None:
    tried: list[object] = []
    with pytest.raises(
        SettingsError, match=r"loses more than 0\.5 points of AR@10 \(the last one 1\.00\); nothing was"
    ):
        tried.extend(search_mix(RANGES, recall, most_drop=0.5))


def test_a_gain_is_no_loss() -> None:
    (only,) = search_mix(RANGES, lambda floats: Recall(10, 61.0, 60.0), most_drop=0.0)
    assert only.recall.drop == -1.0
