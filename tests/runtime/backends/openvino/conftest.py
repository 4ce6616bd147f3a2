"""OpenVINO's tests skip where it is not installed; the demo bundle is opened once for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cmsn_runtime.backends.openvino.library import capabilities, is_installed
from cmsn_runtime.bundle import Bundle, open_bundle


@pytest.fixture(autouse=True, scope="session")
def _installed() -> None:
    if not is_installed():
        pytest.skip("needs OpenVINO: pip install 'cmsn[openvino]'")


@pytest.fixture(scope="session")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder that is kept from test to test."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CMSN_CACHE_DIR", str(folder))
        yield folder


def _opened(cached: Path, backend: str, *, largest_batch: int | None = None) -> Iterator[Bundle]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CMSN_CACHE_DIR", str(cached))
        bundle = open_bundle("demo", backend=backend, threads=1, largest_batch=largest_batch)
    with bundle:
        yield bundle


@pytest.fixture(scope="session")
def reference(cached: Path) -> Iterator[Bundle]:
    """The demo bundle on ONNX Runtime."""
    yield from _opened(cached, "onnxruntime")


@pytest.fixture(scope="session")
def demo(cached: Path) -> Iterator[Bundle]:
    """The demo bundle in FP32, three cameras at once."""
    yield from _opened(cached, "openvino", largest_batch=3)


@pytest.fixture(scope="session")
def demo_bf16(cached: Path) -> Iterator[Bundle]:
    """The demo bundle in BF16."""
    if "BF16" not in capabilities():
        pytest.skip("this processor has no BF16")
    yield from _opened(cached, "openvino-bf16")
