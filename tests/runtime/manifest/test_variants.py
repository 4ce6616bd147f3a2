"""Precisions of a bundle: each complete, asked for by name; format 1, which had FP16 on the side, still opens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cmsn_runtime.errors import BundleError, SettingsError
from cmsn_runtime.manifest.contents import GraphFile, Manifest, Parity, StateTensor, Variant
from cmsn_runtime.manifest.quality import Quality, Recall
from cmsn_runtime.manifest.reading import parse_manifest
from cmsn_runtime.manifest.writing import write_manifest

FORMAT_1 = Path(__file__).parent / "data" / "manifest-format-1.json"  # as the last version wrote it, never to change


@pytest.fixture
def with_half(plain_manifest: Manifest) -> Manifest:
    """What FORMAT_1 says, said anew: FP16 of the extractor and the evaluator, the stage network's own FP32 beside."""
    content = json.loads(FORMAT_1.read_text(encoding="utf-8"))
    full = plain_manifest.variant("fp32")
    half = {name: GraphFile(**item, precision="fp16") for name, item in content["half_graphs"].items()}
    variant = Variant(
        graphs={**full.graphs, **half},
        parity=Parity({"extractor": 7e-4, "stages": 0.0, "evaluator": 1e-5}, tolerance=1e-2),
        state_dtypes={"step": "float16"},
    )
    return replace(plain_manifest, variants={"fp32": full, "fp16": variant})


def test_format_1_opens_to_the_same_manifest(with_half: Manifest) -> None:
    assert parse_manifest(FORMAT_1.read_bytes(), bundle="tiny.cmsn") == with_half


def test_format_1_is_written_as_format_2(with_half: Manifest, tmp_path: Path) -> None:
    write_manifest(tmp_path, parse_manifest(FORMAT_1.read_bytes(), bundle="tiny.cmsn"))
    raw = (tmp_path / "manifest.json").read_bytes()
    assert json.loads(raw)["format_version"] == 2
    assert parse_manifest(raw, bundle="tiny.cmsn") == with_half


def test_an_altered_format_1_is_refused() -> None:
    raw = FORMAT_1.read_bytes()
    for old, new in ((b'"settle_steps": 8', b'"settle_steps": 9'), (b'"format_version": 1', b'"format_version": 2')):
        assert old in raw
        with pytest.raises(BundleError, match="was altered"):
            parse_manifest(raw.replace(old, new), bundle="tiny.cmsn")


def test_a_variant_is_chosen_by_its_precision(with_half: Manifest) -> None:
    assert with_half.variant("fp16").graphs["stages"] == with_half.variant("fp32").graphs["stages"]
    assert with_half.state_tensors("fp16") == (StateTensor("step", (1, 3), "float16"),)
    assert with_half.state_tensors("fp32")[0].nbytes == 12
    with pytest.raises(SettingsError, match="precision is 'int8'; tiny has fp32, fp16; choose one"):
        with_half.variant("int8")


def test_gpus_run_the_fp16_variant_where_one_exists(with_half: Manifest, plain_manifest: Manifest) -> None:
    assert with_half.gpu_precision == "fp16"
    assert plain_manifest.gpu_precision == "fp32"


def test_a_file_shared_by_variants_is_listed_once(with_half: Manifest) -> None:
    assert sorted(file.file for file in with_half.graph_files) == [
        "evaluator.fp16.onnx",
        "evaluator.onnx",
        "extractor.fp16.onnx",
        "extractor.onnx",
        "stages.onnx",
    ]


def test_a_new_precision_needs_no_new_fields(with_half: Manifest, tmp_path: Path) -> None:
    half = with_half.variant("fp16")
    graphs = {**half.graphs, "extractor": GraphFile("extractor.int8.onnx", 3, "a" * 64, "int8")}
    variant = replace(half, graphs=graphs, state_dtypes={"step": "int8"})
    manifest = replace(with_half, variants={**with_half.variants, "int8": variant})
    write_manifest(tmp_path, manifest)
    assert parse_manifest((tmp_path / "manifest.json").read_bytes(), bundle="tiny.cmsn") == manifest


def test_a_variant_without_a_graph_of_its_precision_is_refused(with_half: Manifest) -> None:
    full = with_half.variant("fp32")
    with pytest.raises(
        SettingsError, match=r"variants\.bf16\.graphs is \['fp32'\]; it must be at least one bf16 graph"
    ):
        replace(with_half, variants={**with_half.variants, "bf16": full})


def test_files_of_one_name_must_be_one_file(with_half: Manifest) -> None:
    half = with_half.variant("fp16")
    stages = replace(half.graphs["stages"], bytes=7)
    with pytest.raises(SettingsError, match=r"stages\.onnx"):
        replace(
            with_half, variants={**with_half.variants, "fp16": replace(half, graphs={**half.graphs, "stages": stages})}
        )


def test_a_variant_without_figures_is_written_as_before_there_were_any(with_half: Manifest, tmp_path: Path) -> None:
    write_manifest(tmp_path, with_half)
    assert b"quality" not in (tmp_path / "manifest.json").read_bytes()


def test_the_figures_of_a_variant_are_read_back(with_half: Manifest, tmp_path: Path) -> None:
    quality = Quality(
        backend="OpenVINO", videos=2, steps=90, stages=0.99, signal_to_noise=31.5, recall=Recall(10, 59.5, 60.0)
    )
    half = replace(with_half.variant("fp16"), quality=quality)
    measured = replace(with_half, variants={**with_half.variants, "fp16": half})
    write_manifest(tmp_path, measured)
    found = parse_manifest((tmp_path / "manifest.json").read_bytes(), bundle="x")
    assert found == measured
    assert found.variant("fp16").quality == quality
