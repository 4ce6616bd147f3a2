"""OpenVINO on a device that is named: those that the machine has, and only those."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cmsn_runtime.backends.openvino import library, opening
from cmsn_runtime.backends.openvino.compiling import Compilation
from cmsn_runtime.backends.openvino.precisions import FP16, FP32
from cmsn_runtime.backends.registry import find_backend
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.errors import BackendError, BundleError


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with two GPUs and an NPU that computes in FP16 and INT8 only."""
    found = {"CPU": ["FP32", "BF16"], "GPU.0": ["FP32", "FP16"], "GPU.1": ["FP32"], "NPU": ["FP16", "INT8"]}

    def get_property(device: str, name: str) -> Any:
        return found[device] if name == "OPTIMIZATION_CAPABILITIES" else f"Intel {device}"

    core = SimpleNamespace(available_devices=list(found), get_property=get_property)
    for module in (library, opening):
        if hasattr(module, "core"):
            monkeypatch.setattr(module, "core", lambda: core)
    yield


def test_the_processor_may_be_named(tiny_bundle: Path) -> None:
    with open_bundle(tiny_bundle, backend="openvino:CPU") as bundle:
        assert "(CPU, FP32;" in bundle.backend.name


def test_a_device_that_the_machine_lacks_is_refused_with_those_it_has(tiny_bundle: Path) -> None:
    reason = r"finds no device 'GPU.7' on this machine, only CPU.*; name one of these, or install the driver"
    with pytest.raises(BundleError, match=reason):
        open_bundle(tiny_bundle, backend="openvino:GPU.7")


def test_auto_passes_over_a_device_that_the_machine_lacks(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMSN_AUTO_BACKENDS", "openvino-fp16:GPU.7, onnxruntime")
    with open_bundle(tiny_bundle) as bundle:
        assert "ONNX Runtime" in bundle.backend.name
    assert "OpenVINO" not in bundle.backend.name


@pytest.mark.parametrize("name", ["CPU", "GPU", "GPU.0", "GPU.1", "NPU"])
def test_each_device_of_the_machine_is_found(laptop: None, name: str) -> None:
    library.require_device(name)
    assert find_backend(f"openvino-fp16:{name}").argument


@pytest.mark.parametrize("name", ["GPU.2", "gpu", "NPU.1", "", "HETERO:GPU,CPU"])
def test_no_other_is(laptop: None, name: str) -> None:
    with pytest.raises(BackendError, match=r"only CPU, GPU\.0, GPU\.1, NPU"):
        library.require_device(name)


def test_a_device_without_the_precision_leads_to_one_that_it_has(laptop: None) -> None:
    reason = r"this NPU \(Intel NPU\) has no FP32 in OpenVINO, which lists FP16, INT8; take --backend openvino-fp16:NPU"
    with pytest.raises(BackendError, match=reason):
        FP32.require("NPU")
    with pytest.raises(BackendError, match=r"take --backend openvino:GPU.1, which computes in FP32"):
        FP16.require("GPU.1")


def test_settings_of_the_processor_are_left_out_for_other_devices() -> None:
    def options(device: str) -> set[str]:
        compilation = Compilation(device=device, hint="f16", threads=2, streams=1, winograd=False, cache=None)
        return set(compilation.options())

    assert options("GPU") == {"PERFORMANCE_HINT", "INFERENCE_PRECISION_HINT"}
    assert options("CPU") > options("GPU")
