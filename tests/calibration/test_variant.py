"""A bundle with an INT8 variant: what it adds, and that both libraries run it alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.backends.openvino.backend import OpenVinoBackend
from cmsn_runtime.backends.openvino.library import capabilities, is_installed
from cmsn_runtime.backends.openvino.self_check import feature_error
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import read_graph, read_manifest


def test_the_other_graphs_are_the_same_bytes(folder: Path, written: Path) -> None:
    def hashes(bundle: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in bundle.glob("*.onnx")}

    before, after = hashes(folder), hashes(written)
    assert before.pop("extractor.int8.onnx") != after.pop("extractor.int8.onnx")  # the demo's own is replaced
    assert before == after


def test_the_variant_says_its_error_and_shares_what_is_not_quantised(written: Path) -> None:
    manifest = read_manifest(written)
    variant, full = manifest.variant("int8"), manifest.variant("fp32")
    assert variant.graphs["stages"] == full.graphs["stages"]
    assert variant.graphs["extractor"].precision == "int8"
    assert variant.graphs["extractor"].bytes < full.graphs["extractor"].bytes / 3
    assert set(variant.state_dtypes.values()) == {"float32"}
    assert 1e-4 < variant.parity.errors["extractor"] < 0.05


def test_openvino_and_onnx_runtime_agree_on_it(written: Path) -> None:
    if not is_installed() or "INT8" not in capabilities():
        pytest.skip("needs OpenVINO on a processor with INT8")
    manifest = read_manifest(written)
    graphs = {name: read_graph(written, file) for name, file in manifest.variant("int8").graphs.items()}
    with (
        open_bundle(written, backend="openvino-int8") as found,
        OnnxRuntimeBackend(graphs, manifest.state_tensors("int8")) as reference,
    ):
        assert "INT8" in found.backend.name
        assert feature_error(found.backend, reference, manifest) < 0.03


def test_what_is_not_quantised_runs_in_the_half_precision_of_the_processor(written: Path) -> None:
    if not is_installed() or not {"INT8", "BF16"} <= capabilities():
        pytest.skip("needs OpenVINO on a processor with INT8 and BF16")
    with open_bundle(written, backend="openvino-int8") as bundle:
        assert "INT8 and BF16" in bundle.backend.name
        assert isinstance(bundle.backend, OpenVinoBackend)
        assert bundle.backend.arithmetic.extractor == "bf16"
