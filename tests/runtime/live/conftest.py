"""A fleet that runs in a thread, over cameras that a test plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running_fleet import Running

from cmsn_runtime.bundle import Bundle, open_bundle


@pytest.fixture
def tiny(tiny_bundle: Path) -> Iterator[Bundle]:
    with open_bundle(tiny_bundle, backend="onnxruntime", threads=1) as bundle:
        yield bundle


@pytest.fixture
def running(tiny: Bundle) -> Iterator[Running]:
    """A fleet over the tiny bundle."""
    fleet = Running(tiny)
    yield fleet
    fleet.fleet.stop()
    fleet.join()
    fleet.fleet.close()
