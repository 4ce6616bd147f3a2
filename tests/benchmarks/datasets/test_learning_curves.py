"""Parts of training data of a given number of actions."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from cmsn_benchmarks.datasets.cctv_streams import first_actions
from cmsn_benchmarks.datasets.utkinect import Sequence, _first_actions


def test_the_first_streams_hold_at_least_that_many_actions() -> None:
    entries = {f"s{number}": {"annotations": [None] * number} for number in (3, 1, 2)}
    assert list(first_actions(entries, 1)) == ["s1"]
    assert list(first_actions(entries, 2)) == ["s1", "s2"]
    assert list(first_actions(entries, 100)) == ["s1", "s2", "s3"]


def test_sequences_end_where_the_next_action_would_begin() -> None:
    actions = tuple((f"a{index}", 10 * index, 10 * index + 5) for index in range(4))
    sequences = [
        Sequence(name, np.arange(50), np.zeros((50, 60), np.float32), actions) for name in ("s01_e01", "s02_e01")
    ]
    found = list(_first_actions(sequences, 6))
    assert [len(entry["annotations"]) for _, entry in found] == [4, 2]
    assert [entry["duration"] for _, entry in found] == [50, 20]
