"""A pytest plugin, `-p simulated_gpu`: the process stands on a simulated GPU with TensorRT, and the GPU tests run."""

from __future__ import annotations

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
FakeTensorRT(_MACHINE, version="10.3.0.26").install(_PATCHES)
