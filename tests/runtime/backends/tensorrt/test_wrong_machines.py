"""Machines that cannot run the engines: one clear error each, or a warning and another backend."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from fake_cuda import Machine
from fake_tensorrt import FakeTensorRT

pytest.importorskip("onnx", reason="the simulated TensorRT parses graphs with onnx")

from cmsn_export.building import BuildPlan, build_engines
from cmsn_export.engine_building import BuilderSettings
from cmsn_runtime.backends.engine_cache import graphs_folder
from cmsn_runtime.backends.shapes import EngineSizes
from cmsn_runtime.backends.tensorrt import cuda as cuda_module
from cmsn_runtime.backends.tensorrt.engine_files import engine_file, sidecar_file
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_manifest
from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import BackendWarning, BundleError, CmsnError, MissingExtraError

BUILT_WITH = "10.3.0.26"


@dataclass
class Place:
    """A bundle, its engines in this user's cache, and what a test makes of the machine."""

    bundle: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def engines(self) -> Path:
        """Of the machine they were built on first."""
        (folder,) = graphs_folder(read_manifest(self.bundle)).glob("Fake-GPU-9.0-8")
        return folder

    def become(self, *, version: str | None = BUILT_WITH, lean: bool = False, **machine: Any) -> Machine:
        """Another machine, with another TensorRT or none."""
        cuda_module._primary_context.cache_clear()
        gc.collect()
        simulated = Machine(**machine)
        simulated.install(self.monkeypatch)
        if version is not None:
            FakeTensorRT(simulated, version=version, lean=lean).install(self.monkeypatch)
        else:
            for name in ("tensorrt", "tensorrt_lean"):
                self.monkeypatch.delitem(sys.modules, name, raising=False)
        return simulated

    def build(self, **settings: Any) -> None:
        import tensorrt as trt  # type: ignore[import-not-found,unused-ignore]

        plan = BuildPlan(bundle=self.bundle, engines=None, sizes=EngineSizes(), builder=BuilderSettings(**settings))
        assert all(outcome.built for outcome in build_engines(trt, plan, force=True))

    def refused(self, *, engines: Path | None = None) -> str:
        with pytest.raises(CmsnError) as caught:
            open_bundle(self.bundle, backend="tensorrt", engines=engines).close()
        message = str(caught.value)
        assert "\n" not in message
        return message


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds engines of the demo."""
    cache = tmp_path_factory.mktemp("built") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CMSN_CACHE_DIR", str(cache))
        place = Place(DEMO_BUNDLE, patch)
        machine = place.become()
        place.build()
        machine.check_clean(contexts=False)
    return cache


@pytest.fixture
def place(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    shutil.copytree(DEMO_BUNDLE, tmp_path / "x.cmsn", ignore=shutil.ignore_patterns("engines"))
    shutil.copytree(built, os.environ["CMSN_CACHE_DIR"])
    place = Place(tmp_path / "x.cmsn", monkeypatch)
    place.become()
    yield place
    cuda_module._primary_context.cache_clear()


def test_engines_run_on_the_machine_they_were_built_on(place: Place) -> None:
    with open_bundle(place.bundle) as bundle:
        assert bundle.backend.name == f"TensorRT {BUILT_WITH} (Fake GPU, FP16)"


def test_without_tensorrt_the_missing_extra_is_named(place: Place) -> None:
    place.become(version=None)
    with pytest.raises(MissingExtraError, match=r"cmsn\[tensorrt\]"):
        open_bundle(place.bundle, backend="tensorrt")


def test_without_pycuda_its_absence_is_named(place: Place) -> None:
    place.monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(MissingExtraError, match="pycuda"):
        open_bundle(place.bundle, backend="tensorrt")


def test_without_a_driver_engines_are_refused(place: Place) -> None:
    place.become(driver=False)
    message = place.refused()
    assert "there is no working NVIDIA driver" in message
    assert "libcuda.so.1" in message
    assert "--backend onnxruntime" in message


def test_without_a_gpu_engines_are_refused(place: Place) -> None:
    place.become(devices=0)
    assert "--backend onnxruntime" in place.refused()


@pytest.mark.parametrize("other", [{"name": "Another GPU"}, {"capability": (8, 7)}, {"multiprocessors": 16}])
def test_engines_of_another_gpu_are_refused(place: Place, other: dict[str, Any]) -> None:
    """Of engines that are named; of the user's own, those of another GPU are in another folder."""
    engines = place.engines
    place.become(**other)
    assert "holds no engine of the extractor graph" in place.refused()
    message = place.refused(engines=engines)
    assert "was built on Fake GPU (compute capability 9.0, 8 multiprocessors)" in message
    assert f"cmsn build {place.bundle} --engines {engines}" in message


def test_a_tensorrt_before_8_6_is_refused(place: Place) -> None:
    trt = ModuleType("tensorrt")
    trt.__version__ = "8.5.3.1"  # type: ignore[attr-defined]
    place.monkeypatch.setitem(sys.modules, "tensorrt", trt)
    assert "TensorRT 8.5.3.1 is installed; 8.6 or later is needed" in place.refused()


def test_a_tensorrt_that_does_not_load_is_one_error(place: Place, tmp_path: Path) -> None:
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: cannot open shared object file')")
    place.become(version=None)
    place.monkeypatch.syspath_prepend(tmp_path)
    message = place.refused()
    assert "installed but does not load" in message
    assert "libnvinfer.so.10" in message
    sys.modules.pop("tensorrt", None)


@pytest.mark.parametrize(
    ("installed", "words"),
    [("8.6.1.6", "which is older"), ("10.0.1.6", "which is older"), ("11.4.0.106", "which is newer")],
)
def test_engines_of_another_tensorrt_are_refused(place: Place, installed: str, words: str) -> None:
    place.become(version=installed)
    message = place.refused()
    assert words in message
    assert BUILT_WITH in message
    assert installed in message
    assert f"cmsn build {place.bundle}" in message


def test_a_version_compatible_engine_runs_under_a_later_one(place: Place) -> None:
    place.build(version_compatible=True)
    machine = place.become(version="10.16.1.11")
    with open_bundle(place.bundle, backend="tensorrt", engine_code=True) as bundle:
        assert "10.16.1.11" in bundle.backend.name
    lean = place.become(version="10.16.1.11", lean=True)
    with open_bundle(place.bundle, backend="tensorrt", engine_code=True):
        pass
    gc.collect()
    for each in (machine, lean):
        assert not each.violations
    place.become(version="10.2.0.19")
    assert "which is older" in place.refused()


def test_an_engine_that_brings_code_needs_consent(place: Place) -> None:
    place.build(version_compatible=True)
    message = place.refused()
    assert "contains code of its own" in message
    assert "--allow-engine-code" in message
    with pytest.warns(BackendWarning, match="contains code"), open_bundle(place.bundle) as bundle:
        assert bundle.backend.name.startswith("ONNX Runtime")


def test_the_lean_runtime_refuses_engines_that_need_all_of_tensorrt(place: Place) -> None:
    place.become(lean=True)
    assert "needs all of TensorRT; only tensorrt_lean is installed" in place.refused()


def test_a_driver_too_old_for_tensorrt_is_one_error(place: Place) -> None:
    """cuInit works and TensorRT's runtime does not: the bindings give a TypeError."""
    import tensorrt as trt  # type: ignore[import-not-found,unused-ignore]

    def broken(logger: Any) -> Any:
        logger.log(trt.ILogger.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("factory function returned nullptr")

    place.monkeypatch.setattr(trt, "Runtime", broken)
    message = place.refused()
    assert "cannot start its runtime here (CUDA initialization failure with error: 35)" in message


@pytest.mark.parametrize(("version", "runs"), [("8.6.2.3", True), (BUILT_WITH, False)])
def test_cudnn_that_only_tensorrt_86_looks_for_is_not_needed(place: Place, version: str, runs: bool) -> None:
    """It reports libraries that it does without as errors; TensorRT 10 has no such messages."""
    place.become(version=version)
    place.build()
    import tensorrt as trt  # type: ignore[import-not-found,unused-ignore]

    quiet = trt.Runtime

    def complaining(logger: Any) -> Any:
        logger.log(trt.ILogger.ERROR, "Unable to load library: libcudnn.so.8: cannot open shared object file")
        return quiet(logger)

    place.monkeypatch.setattr(trt, "Runtime", complaining)
    if not runs:
        assert "cannot start its runtime here (Unable to load library: libcudnn.so.8" in place.refused()
        return
    with open_bundle(place.bundle, backend="tensorrt") as bundle:
        assert version in bundle.backend.name


def test_a_pycuda_that_does_not_load_is_one_error(place: Place) -> None:
    place.monkeypatch.delitem(sys.modules, "pycuda.driver")
    place.monkeypatch.setattr(sys.modules["pycuda"], "__path__", [])
    place.monkeypatch.delattr(sys.modules["pycuda"], "driver")
    assert "pycuda is installed but does not load" in place.refused()


def test_a_damaged_engine_is_refused(place: Place) -> None:
    path = engine_file(place.engines, "stages")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "stages.engine has" in place.refused()


def test_missing_engines_name_the_command_that_builds_them(place: Place) -> None:
    shutil.rmtree(place.engines)
    assert f"it is built on the device itself: cmsn build {place.bundle}" in place.refused()


def test_an_engine_of_another_graph_is_refused(place: Place) -> None:
    """As after a new export into the same folder that kept the engines."""
    path = sidecar_file(place.engines, "evaluator")
    content = json.loads(path.read_text())
    content["key"]["onnx_sha256"] = "0" * 64
    path.write_text(json.dumps(content))
    assert "was built from another graph; the bundle has changed since" in place.refused()


def test_engines_elsewhere_are_named_in_the_command(place: Place, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=rf"cmsn build {place.bundle} --engines {tmp_path / 'none'}"):
        open_bundle(place.bundle, backend="tensorrt", engines=tmp_path / "none")


@pytest.mark.parametrize(
    "machine",
    [{"driver": False}, {"devices": 0}, {"name": "Another GPU"}, {"version": "11.4.0.106"}, {"version": None}],
)
def test_auto_warns_and_runs_on_the_cpu(place: Place, machine: dict[str, Any]) -> None:
    place.become(**machine)
    with (
        pytest.warns(BackendWarning, match="the backend tensorrt cannot be used"),
        open_bundle(place.bundle) as bundle,
    ):
        assert bundle.backend.name.startswith("ONNX Runtime")


def test_auto_is_quiet_where_nobody_built_engines(place: Place) -> None:
    shutil.rmtree(place.engines)
    place.become(driver=False)
    with open_bundle(place.bundle) as bundle:  # warnings are errors in tests
        assert bundle.backend.name.startswith("ONNX Runtime")


def test_the_command_line_warns_in_one_line(place: Place, tmp_path: Path) -> None:
    place.become(version="11.4.0.106")
    (tmp_path / "no.mp4").write_bytes(b"no video")
    warned = CliRunner().invoke(cmsn, ["run", str(tmp_path / "no.mp4"), "--bundle", str(place.bundle), "--quiet"])
    first, second = warned.stderr.strip().splitlines()
    assert first.startswith(
        "cmsn: warning: the backend tensorrt cannot be used (the extractor engine was built with TensorRT 10"
    )
    assert second.startswith("cmsn: error: ")
