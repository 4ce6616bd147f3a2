"""The tiny bundle, opened, for tests of clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cmsn_runtime.bundle import Bundle, open_bundle


@pytest.fixture
def bundle(tiny_bundle: Path) -> Iterator[Bundle]:
    with open_bundle(tiny_bundle, threads=1) as opened:
        yield opened
