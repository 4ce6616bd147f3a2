"""Export: graphs that give what torch gives, a bundle that is whole, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import extract
from cmsn_runtime.backends.host_window import on_host

pytest.importorskip("torch")
pytest.importorskip("onnx")

import numpy as np
import onnx
import torch

from cmsn_export.bundling import export_bundle
from cmsn_export.graphs import build_graphs
from cmsn_export.parity import measure_parity
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.errors import BundleError, SettingsError
from cmsn_training.checkpoint import save_model
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.models.cmsn import CMSN
from cmsn_training.onnx_module import OPSET
from cmsn_training.torch_backend import TorchBackend


def configured(width: float, size: int = 32) -> TrainingConfig:
    values = {
        "name": "test",
        "data": {"videos": ".", "annotations": "."},
        "model": {"width": width, "lstm_hidden": 16, "evaluator_hidden": 32},
        "preprocessing": {"resize": [size, size + 8], "crop": [size, size], "scale": 1 / 64},
    }
    return parse_config(values, origin="test")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    config = configured(1 / 16)
    save_model(CMSN(config), config, {"seed": 7}, path)
    return path


@pytest.mark.parametrize("width", [1 / 16, 1.0])
def test_exported_graphs_agree_with_torch_on_onnx_runtime(width: float) -> None:
    """Chunks of 8, 16, 40 and 768 frames against a single pass, narrow and full width."""
    torch.manual_seed(0)
    model = CMSN(configured(width)).eval()
    graphs = build_graphs(model, window=96)
    errors = measure_parity(model, graphs, window=96)
    assert set(errors) == {"extractor", "stages", "evaluator"}
    assert max(errors.values()) <= 1e-4


def test_graphs_are_single_files_of_opset_17() -> None:
    graphs = build_graphs(CMSN(configured(1 / 16)), window=96)
    for raw in graphs.values():
        graph = onnx.load_from_string(raw)
        assert [(item.domain, item.version) for item in graph.opset_import] == [("", OPSET)]
        assert not any(tensor.external_data for tensor in graph.graph.initializer)


def test_a_bundle_gives_the_events_of_its_torch_model(checkpoint: Path, tmp_path: Path) -> None:
    manifest = export_bundle(checkpoint, tmp_path / "a.cmsn")
    assert manifest.training["seed"] == 7
    assert manifest.variant("fp32").parity.tolerance == 1e-4
    torch.manual_seed(0)
    model = CMSN(configured(1 / 16))
    frames = np.random.default_rng(0).integers(0, 256, (48, 32, 32, 3), dtype=np.uint8)
    with open_bundle(tmp_path / "a.cmsn") as bundle, TorchBackend(model) as reference:
        ours = answer_alone(extract(frames, bundle.backend.new_state(), position=0, length=2**40), bundle.backend)
        theirs = answer_alone(extract(frames, reference.new_state(), position=0, length=2**40), reference)
    left, right = on_host(ours), on_host(theirs)
    assert np.abs(left - right).max() <= 1e-4 * np.abs(right).max()


def test_an_existing_bundle_is_replaced_only_when_asked(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a.cmsn"
    export_bundle(checkpoint, folder)
    (folder / "note.txt").write_text("mine")
    with pytest.raises(BundleError, match="--force"):
        export_bundle(checkpoint, folder)
    assert (folder / "note.txt").exists()
    export_bundle(checkpoint, folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == [
        "evaluator.fp16.onnx",
        "evaluator.onnx",
        "extractor.fp16.onnx",
        "extractor.onnx",
        "manifest.json",
        "stages.onnx",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a.cmsn"]


def test_missed_parity_refuses_the_export(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="differs from torch"):
        export_bundle(checkpoint, tmp_path / "a.cmsn", tolerance=1e-12)
    assert not any(tmp_path.iterdir())


def test_weights_that_are_not_numbers_refuse_the_export(tmp_path: Path) -> None:
    config = configured(1 / 16)
    model = CMSN(config)
    with torch.no_grad():
        model.stages.classifier.weight.fill_(float("nan"))
    save_model(model, config, {}, tmp_path / "model.safetensors")
    with pytest.raises(BundleError, match=r"stages\.classifier\.weight holds values that are not finite"):
        export_bundle(tmp_path / "model.safetensors", tmp_path / "a.cmsn")


def test_a_bundle_name_without_its_suffix_and_a_missing_model_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"must end in \.cmsn"):
        export_bundle(checkpoint, tmp_path / "a")
    with pytest.raises(SettingsError, match="cmsn train"):
        export_bundle(tmp_path / "nothing.safetensors", tmp_path / "a.cmsn")


def test_nothing_in_a_bundle_is_a_pickle(checkpoint: Path, tmp_path: Path) -> None:
    export_bundle(checkpoint, tmp_path / "a.cmsn")
    for path in (tmp_path / "a.cmsn").iterdir():
        raw = path.read_bytes()
        assert not raw.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"))
        if path.suffix == ".json":
            json.loads(raw)
        else:
            onnx.load_from_string(raw)
