"""Engines run with the user's rights: only those this user has built, or names, are loaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_cuda import Machine
from fake_tensorrt import FakeTensorRT

pytest.importorskip("onnx", reason="the simulated TensorRT parses graphs with onnx")

from cmsn_runtime.backends.engine_cache import cache_folder, graphs_folder, make_folder, require_private
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.tensorrt import cuda as cuda_module
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_manifest
from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import BackendError, BackendWarning, BundleError

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system knows no owners")


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cuda_module._primary_context.cache_clear()
    machine = Machine()
    machine.install(monkeypatch)
    FakeTensorRT(machine, version="10.3.0.26").install(monkeypatch)
    yield
    cuda_module._primary_context.cache_clear()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    shutil.copytree(DEMO_BUNDLE, tmp_path / "x.cmsn")
    return tmp_path / "x.cmsn"


def built(*arguments: str | Path) -> str:
    """Where `cmsn build` has put the engines, by its last line."""
    done = CliRunner().invoke(cmsn, ["build", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()[-1].removesuffix(": ready for `cmsn run`")


def backend_of(bundle: Path, **options: Path) -> str:
    with open_bundle(bundle, **options) as opened:  # type: ignore[arg-type]
        return opened.backend.name.split()[0]


def test_engines_go_to_the_cache_and_nothing_into_the_bundle(bundle: Path) -> None:
    before = sorted(path.name for path in DEMO_BUNDLE.iterdir())
    folder = Path(built("demo"))
    assert cache_folder() in folder.parents
    assert sorted(path.name for path in DEMO_BUNDLE.iterdir()) == before
    assert backend_of(bundle) == "TensorRT"  # a copy has the same graphs
    for private in (folder, folder.parent, cache_folder()):
        assert private.stat().st_mode & 0o777 == 0o700


def test_engines_that_lie_in_a_bundle_are_passed_over_unless_they_are_named(bundle: Path) -> None:
    built(bundle, "--engines", bundle / "engines")
    said = f"not used.*`cmsn build {bundle}`, or pass --engines {bundle / 'engines'}"
    with pytest.warns(BackendWarning, match=said):
        assert backend_of(bundle) == "ONNX"
    with pytest.raises(BundleError, match=f"holds no engine of the extractor graph.*{said}"):
        open_bundle(bundle, backend="tensorrt")
    assert backend_of(bundle, engines=bundle / "engines") == "TensorRT"
    built(bundle)
    assert backend_of(bundle) == "TensorRT"  # one's own: no warning any more


def test_a_named_folder_without_engines_is_reported(bundle: Path, tmp_path: Path) -> None:
    with pytest.warns(BackendWarning, match="holds no engine"):
        assert backend_of(bundle, engines=tmp_path / "none") == "ONNX"


@pytest.mark.parametrize("mode", [0o770, 0o707])
@pytest.mark.parametrize("level", ["cache", "graphs", "device"])
def test_a_cache_that_others_may_write_is_refused(bundle: Path, level: str, mode: int) -> None:
    folder = Path(built(bundle))
    changed = {"cache": cache_folder(), "graphs": folder.parent, "device": folder}[level]
    changed.chmod(mode)
    with pytest.raises(BundleError, match=rf"{changed} is writable by others \(mode 0{mode:o}\).*CMSN_CACHE_DIR"):
        open_bundle(bundle, backend="tensorrt")
    with pytest.warns(BackendWarning, match="is writable by others"):
        assert backend_of(bundle) == "ONNX"
    again = CliRunner().invoke(cmsn, ["build", str(bundle)])
    assert again.exit_code == 1
    assert isinstance(again.exception, BackendError)


def test_a_cache_of_another_user_is_refused(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(bundle)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(BundleError, match=f"{cache_folder()} belongs to user .*, not to you"):
        open_bundle(bundle, backend="tensorrt")


def test_onnx_runtimes_own_engines_are_kept_in_a_private_folder(tmp_path: Path) -> None:
    """It loads them unchecked."""
    own = graphs_folder(read_manifest(DEMO_BUNDLE)) / "onnxruntime"
    Provider("tensorrt", cache=own).listed("stages")
    assert own.stat().st_mode & 0o777 == 0o700
    open_to_all = tmp_path / "named"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(BackendError, match="is writable by others"):
        Provider("tensorrt", cache=open_to_all).listed("stages")


def test_the_cache_lies_in_the_cache_folder_of_the_user_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CMSN_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("CMSN_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder().name == "cmsn"


def test_a_folder_outside_the_cache_is_made_with_its_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    require_private(tmp_path / "none")
