"""Fixtures for every house's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadlines: a loaded machine is no fault of the code, and the first example pays for numba's compilation.
settings.register_profile("cmsn", deadline=None)
settings.load_profile("cmsn")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data, `../shared` beside the repository.

    Tests that need it skip where it is absent, and fail where CMSN_REQUIRE_SHARED=1 says it must be there.
    """
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        if os.environ.get("CMSN_REQUIRE_SHARED") == "1":
            pytest.fail("CMSN_REQUIRE_SHARED=1, but there is no folder `shared` beside the repository")
        pytest.skip("needs the folder `shared` beside the repository, which is absent")
    return folder
