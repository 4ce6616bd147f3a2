"""A configuration of each kind of input."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from frozen_models import KINDS, configured, networks_of

from cmsn_training.config import TrainingConfig


@pytest.fixture(scope="session", params=KINDS)
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    """A configuration of one kind of input."""
    return configured(networks_of(request.param, tmp_path_factory.mktemp("networks")))
