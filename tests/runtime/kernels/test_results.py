"""Every kernel of the runtime computes what its Python source does, to the bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from cmsn_benchmarks.speed.postprocessing import ordered_window, probabilities_of
from cmsn_runtime.kernels.declaring import Kernel
from cmsn_runtime.proposing import candidates, roi, sequences, suppress
from cmsn_runtime.proposing.pipeline import propose, rank
from cmsn_runtime.proposing.settings import NmsKind, ProposalSettings


@pytest.mark.parametrize("nms", get_args(NmsKind))
@pytest.mark.parametrize("context", [0.0, 0.25])
def test_machine_code_fills_the_arrays_as_the_source_does(
    monkeypatch: pytest.MonkeyPatch, nms: NmsKind, context: float
) -> None:
    seen: set[str] = set()
    for module, name in (
        (sequences, "_find"),
        (candidates, "_find_factors"),
        (candidates, "_pair"),
        (roi, "_look_up"),
        (suppress, "_suppress"),
    ):
        monkeypatch.setattr(module, name, _compared(getattr(module, name), seen))
    settings = ProposalSettings(nms=nms, roi_context=context, min_score=0.0)
    rng = np.random.default_rng(0)
    for window in (ordered_window(), rng.integers(0, 6, 96).astype(np.int8)):
        found = propose(probabilities_of(window), frontier=0, settings=settings)
        rank(found, rng.random(len(found), np.float32), settings)
    assert seen == {"_find", "_find_factors", "_pair", "_look_up", "_suppress"}


def _compared(kernel: Kernel[Any], seen: set[str]) -> Callable[..., int]:
    def call(*values: Any) -> int:
        others = copy.deepcopy(values)
        found, expected = kernel(*values), kernel.__wrapped__(*others)  # type: ignore[attr-defined]
        assert found == expected
        for value, other in zip(values, others, strict=True):
            if isinstance(value, np.ndarray):
                assert value.tobytes() == other.tobytes()
        seen.add(kernel.__wrapped__.__name__)  # type: ignore[attr-defined]
        return int(found)

    return call
