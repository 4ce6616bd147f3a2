"""Fixtures for the tests of training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.proposing.pipeline import Candidates, propose
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.stages import Stage


@pytest.fixture(scope="module")
def stages_that_propose() -> Iterator[None]:
    """A network that learnt for seconds sees only background; phase 2 needs candidates to learn from."""
    from cmsn_training.data import evaluator_windows

    def propose_anyway(
        probabilities: npt.NDArray[np.float32], *, frontier: int, settings: ProposalSettings
    ) -> Candidates:
        cycle = np.arange(len(probabilities)) // 4 % len(Stage)
        return propose(np.eye(len(Stage), dtype=np.float32)[cycle], frontier=frontier, settings=settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluator_windows, "propose", propose_anyway)
        yield
