"""A bundle of feature rows has engines too: built by NVIDIA's compiler, and run over the simulated TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_cuda import Machine, process_on
from fake_tensorrt import FakeTensorRT
from without_gpu import for_a_gpu_of_2020

from cmsn_export.building import BuildPlan, build_engines
from cmsn_export.bundling import export_bundle
from cmsn_export.engine_building import BuilderSettings, build_plan
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.events import Event
from cmsn_runtime.manifest.contents import GRAPH_NAMES
from cmsn_runtime.streams.feature_stream import FeatureRow
from cmsn_training.checkpoint import save_model
from cmsn_training.config import parse_config
from cmsn_training.models.cmsn import CMSN

WIDTH, STRIDE = 5, 3


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network over rows, three to a step, with their first difference."""
    folder = tmp_path_factory.mktemp("rows")
    config = parse_config(
        {
            "data": {"videos": ".", "annotations": "."},
            "grid": {"fps": 4, "stride": STRIDE, "window": 32},
            "features": {"width": WIDTH, "difference": True},
            "model": {"lstm_hidden": 8, "evaluator_hidden": 16},
            "proposals": {"background": [0.1, 0.01]},
        },
        origin="test",
    )
    torch.manual_seed(1)
    model = CMSN(config)
    with torch.no_grad():  # an untrained classifier says hardly anything but one stage
        model.stages.classifier.weight.add_(torch.randn_like(model.stages.classifier.weight))
    save_model(model, config, {}, folder / "model.safetensors")
    export_bundle(folder / "model.safetensors", folder / "rows.cmsn")
    return folder / "rows.cmsn"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with process_on(Machine(), monkeypatch) as machine:
        yield machine


def events(bundle: Path, **options: Any) -> list[Event]:
    rng = np.random.default_rng(3)
    rows = np.cumsum(rng.normal(size=(400, WIDTH)), axis=0).astype(np.float32)
    with open_bundle(bundle, **options) as opened, opened.feature_stream(min_score=0) as stream:
        said = [event for at, row in enumerate(rows) for event in stream.push(FeatureRow(row, Fraction(at, 4)))]
        return [event for event in said + stream.flush() if isinstance(event, Event)]


def test_only_the_evaluator_of_feature_rows_is_fp16(bundle: Path) -> None:
    graphs = read_manifest(bundle).variant("fp16").graphs
    assert {name: file.precision for name, file in graphs.items()} == {
        "extractor": "fp32",
        "stages": "fp32",
        "evaluator": "fp16",
    }
    assert set(read_manifest(bundle).variant("fp16").state_dtypes.values()) <= {"float32"}


@pytest.mark.parametrize("graph", GRAPH_NAMES)
def test_every_graph_of_a_feature_bundle_compiles(bundle: Path, graph: str) -> None:
    rtx = pytest.importorskip("tensorrt_rtx")
    manifest = read_manifest(bundle)
    file = manifest.variant("fp16").graphs[graph]
    for sizes in (EngineSizes(), EngineSizes(cameras=3, chunk_frames=2 * STRIDE)):
        shapes = engine_shapes(manifest, graph, sizes)
        settings, onnx = BuilderSettings(), read_graph(bundle, file)
        assert build_plan(
            rtx, onnx, shapes, settings, graph=graph, precision=file.precision, configure=for_a_gpu_of_2020
        )


def test_feature_rows_give_the_events_of_the_cpu_on_a_simulated_gpu(
    bundle: Path, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = FakeTensorRT(machine, version="10.3.0.26")
    library.install(monkeypatch)
    plan = BuildPlan(bundle=bundle, engines=tmp_path, sizes=EngineSizes(), builder=BuilderSettings(), precision="fp32")
    list(build_engines(library.module(), plan))
    ours, theirs = events(bundle, backend="tensorrt", engines=tmp_path), events(bundle, backend="onnxruntime")
    assert len(theirs) > 5
    assert [(e.kind, e.action, e.rank) for e in ours] == [(e.kind, e.action, e.rank) for e in theirs]
    for left, right in zip(ours, theirs, strict=True):
        assert (left.proposal.start, left.proposal.end) == (right.proposal.start, right.proposal.end)
        assert left.proposal.score == pytest.approx(right.proposal.score, abs=1e-5)
