"""Fixtures for every house's tests, and what makes the tests of one process cheap."""

from __future__ import annotations

import gc
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadlines: a loaded machine is no fault of the code, and the first example pays for numba's compilation.
settings.register_profile("cmsn", deadline=None)
settings.load_profile("cmsn")

# One thread of torch and of its like for each process, those that the tests start included: the networks here are too
# small to share out, and threads that wait for one another on busy cores take minutes for seconds of work. Set before
# torch is imported, which reads it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests that import ONNX Runtime themselves: see cmsn_runtime.backends.onnxruntime.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Without OpenVINO, which compiles for 0.3 s where the cache is empty, as it is in every test; its own tests name it.
os.environ["CMSN_AUTO_BACKENDS"] = "tensorrt,ort-cuda,onnxruntime"


_numbers = itertools.count()


def pytest_collection_finish() -> None:
    """Leave what the imports made out of later collections: 0.4 s each, and the simulated GPU asks for hundreds."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of its own for each test: engines and spools of who runs the tests are neither used nor changed."""
    for folder in ("cache", "state"):
        place = tmp_path_factory.getbasetemp() / f"{folder}-{next(_numbers)}"
        monkeypatch.setenv(f"CMSN_{folder.upper()}_DIR", str(place))


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


@pytest.fixture
def signals_as_at_a_terminal() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP do as usual, here and in the processes that a test starts.

    nohup and a shell's background have this process ignore some of them, and what it starts inherits that.
    """
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
