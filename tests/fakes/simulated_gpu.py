"""A pytest plugin, `-p simulated_gpu`: the process stands on a simulated GPU with TensorRT, and the GPU tests run.

SIMULATED_TENSORRT is its version, SIMULATED_LEAN=1 says that it only runs engines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from fake_cuda import Machine
from fake_tensorrt import FakeTensorRT


@pytest.fixture(scope="session", autouse=True)
def _nothing_wrong() -> Iterator[None]:
    """What was done wrong with the GPU anywhere fails the last test."""
    yield
    _MACHINE.check_clean(contexts=False)


_MACHINE = Machine(memory_bytes=1 << 32)
_PATCHES = pytest.MonkeyPatch()
_MACHINE.install(_PATCHES)
_VERSION = os.environ.get("SIMULATED_TENSORRT", "10.3.0.26")
FakeTensorRT(_MACHINE, version=_VERSION, lean=os.environ.get("SIMULATED_LEAN") == "1").install(_PATCHES)
