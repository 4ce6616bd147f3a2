"""Whether a tenth of the stretches would have done."""

from __future__ import annotations

import numpy as np
import pytest

from cmsn_calibration.choosing import LayerRange
from cmsn_calibration.comparing import Compared
from cmsn_calibration.enough import Tenth, ranges_of
from cmsn_calibration.histogram import Histogram
from cmsn_runtime.manifest.quality import Quality, Recall


def compared(decibels: float, recall: float | None) -> Compared:
    found = None if recall is None else Recall(10, recall, 60.0)
    quality = Quality(backend="x", videos=1, steps=1, stages=1.0, signal_to_noise=decibels, recall=found)
    return Compared(quality, {}, {}, {})


@pytest.mark.parametrize(
    ("tenth", "expected"),
    [
        (compared(40.0, 60.0), True),
        (compared(37.5, 59.75), True),
        (compared(36.5, 60.0), False),
        (compared(40.0, 59.5), False),
        (compared(40.0, 60.5), False),
        (compared(39.0, None), True),
    ],
    ids=["the same", "close", "noisier", "less recall", "more recall", "without labels"],
)
def test_ranges_are_enough_where_those_of_a_tenth_cost_the_same(tenth: Compared, expected: bool) -> None:
    found = Tenth(4, compared(40.0, 60.0), tenth)
    assert found.agrees is expected
    assert ("may not be enough" in found.line()) is not expected


def test_ranges_are_found_by_the_method_that_was_chosen() -> None:
    values = np.append(np.full(9_999_999, 1.0, np.float32), np.float32(8.0))
    chosen = tuple(LayerRange(method, method, 5.0, 5.0, 40.0) for method in ("min-max", "percentile"))
    found = ranges_of(chosen, {item.layer: Histogram.of(values) for item in chosen})
    assert found["min-max"] == 8.0
    assert found["percentile"] == pytest.approx(1.0, abs=0.01)
