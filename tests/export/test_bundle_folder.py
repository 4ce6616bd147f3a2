"""Export to places that cannot be written, or hold something else: one line, and what was there stays."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch
from click.testing import CliRunner
from full_disk import disk_of

from cmsn_export.bundling import export_bundle
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import BundleError, OutputError, SettingsError
from cmsn_training.checkpoint import save_model
from cmsn_training.config import parse_config
from cmsn_training.models.cmsn import CMSN

NO_MODEL = Path("nowhere/model.safetensors")  # the place is looked at first


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    values = {
        "data": {"videos": ".", "annotations": "."},
        "grid": {"stride": 1, "window": 32},
        "features": {"width": 2},
        "model": {"lstm_hidden": 4, "evaluator_hidden": 4},
    }
    config = parse_config(values, origin="test")
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(CMSN(config), config, {}, path)
    return path


@pytest.mark.parametrize("place", ["/proc/nowhere/a.cmsn", "file/a.cmsn", "n" * 300 + ".cmsn"])
def test_a_destination_that_cannot_be_written_is_named_before_any_work(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match=r"a\.cmsn|nnn.*: cannot be written"):
        export_bundle(NO_MODEL, tmp_path / place)
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    folder, file = tmp_path / "photos.cmsn", tmp_path / "file.cmsn"
    folder.mkdir()
    (folder / "holiday.jpg").write_text("kept")
    file.write_text("kept")
    for place in (folder, file):
        with pytest.raises(BundleError, match="exists already and is not a bundle"):
            export_bundle(NO_MODEL, place, overwrite=overwrite)
    assert (folder / "holiday.jpg").read_text() == file.read_text() == "kept"


def test_a_full_disk_keeps_the_previous_bundle(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a.cmsn"
    export_bundle(checkpoint, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with disk_of(1024), pytest.raises(OutputError, match=r"cannot be written \(File too large\)"):
        export_bundle(checkpoint, folder, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.cmsn"]


def test_a_replacement_that_fails_halfway_restores_the_previous_bundle(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a.cmsn"
    export_bundle(checkpoint, folder)
    rename = Path.rename

    def fails_for_the_new(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new)
    with pytest.raises(OutputError, match="Input/output error"):
        export_bundle(checkpoint, folder, overwrite=True)
    open_bundle(folder).close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.cmsn"]


def test_a_symbolic_link_to_a_bundle_is_followed(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "current.cmsn"
    link.symlink_to(tmp_path / "disk" / "v1.cmsn")
    export_bundle(checkpoint, link)
    export_bundle(checkpoint, link, overwrite=True)
    assert link.is_symlink()
    open_bundle(tmp_path / "disk" / "v1.cmsn").close()


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\x08\0\0\0\0\0\0\0{}      ", "folder"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "model.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    result = CliRunner().invoke(cmsn, ["export", str(path), "-o", str(tmp_path / "a.cmsn")])
    assert isinstance(result.exception, SettingsError)
    assert "not a model written by `cmsn train`" in str(result.exception)
    assert not (tmp_path / "a.cmsn").exists()
