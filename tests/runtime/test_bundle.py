"""A bundle opens and runs as it stands; a damaged one is refused, with what was found and what to do."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, locate_bundle, read_graph, read_manifest
from cmsn_runtime.errors import BundleError, SettingsError
from cmsn_runtime.manifest.contents import GraphFile, Manifest, StateDtype, StateShape
from cmsn_runtime.manifest.writing import write_manifest
from cmsn_runtime.pictures.frame import Frame

GRAPHS = ["extractor.onnx", "stages.onnx", "evaluator.onnx"]
FILES = [*GRAPHS, "manifest.json"]


def refused(folder: Path) -> str:
    """The message of the refusal, whose form is always the same."""
    with pytest.raises(BundleError) as caught:
        open_bundle(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder.name}: ")
    assert message.count("; ") >= 2
    assert "\n" not in message
    return message


def replace_graph(folder: Path, name: str, graph: bytes) -> None:
    """Put another graph in, and have the manifest agree with it."""
    manifest = read_manifest(folder)
    file = GraphFile(f"{name}.onnx", len(graph), hashlib.sha256(graph).hexdigest())
    (folder / file.file).write_bytes(graph)
    write_manifest(folder, _with_graph(manifest, name, file))


def _with_graph(manifest: Manifest, name: str, file: GraphFile) -> Manifest:
    full = manifest.variant("fp32")
    return replace(manifest, variants={"fp32": replace(full, graphs={**full.graphs, name: file})})


def test_a_bundle_opens_with_the_facts_of_its_manifest(tiny_bundle: Path, tiny_manifest: Manifest) -> None:
    with open_bundle(str(tiny_bundle)) as bundle:
        assert bundle.manifest == tiny_manifest
        assert bundle.grid == tiny_manifest.grid
        assert bundle.preprocessing == tiny_manifest.preprocessing
        assert repr(bundle).startswith("Bundle(tiny.cmsn, ONNX Runtime")


def test_a_stream_of_a_bundle_runs_to_the_end(tiny_bundle: Path) -> None:
    """Green and blue between red are Start and End between Background: one action, found to the frame."""
    colours = [(255, 0, 0)] * 64 + [(0, 255, 0)] * 32 + [(0, 0, 255)] * 32 + [(255, 0, 0)] * 96
    with open_bundle(tiny_bundle) as bundle:
        stream = bundle.stream(min_score=0.0)
        events = []
        for number, colour in enumerate(colours):
            pixels = np.full((20, 30, 3), colour, np.uint8)
            events += stream.push(Frame(pixels, Fraction(number * 1001, 30000)))
        events += stream.flush()
    finals = [event.proposal for event in events if event.kind == "final" and event.rank == 1]
    assert [(proposal.start, proposal.end) for proposal in finals if proposal] == [
        (64 * Fraction(1001, 30000), 128 * Fraction(1001, 30000))
    ]


def test_stream_options_are_checked(tiny_bundle: Path) -> None:
    with open_bundle(tiny_bundle) as bundle:
        assert bundle.stream(min_score=0.25).settings.proposals.min_score == 0.25
        with pytest.raises(SettingsError, match="min_score"):
            bundle.stream(min_score=2.0)


def test_reading_a_manifest_imports_neither_numba_nor_onnxruntime(tiny_bundle: Path) -> None:
    code = (
        "import sys, pathlib; from cmsn_runtime.bundle_files import read_manifest; "
        f"read_manifest(pathlib.Path({str(tiny_bundle)!r})); print({{'numba', 'onnxruntime', 'av'}} & set(sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("keep", [0, 0.5])
def test_a_truncated_graph_file_is_refused(tiny_bundle: Path, file: str, keep: float) -> None:
    raw = (tiny_bundle / file).read_bytes()
    (tiny_bundle / file).write_bytes(raw[: int(len(raw) * keep)])
    message = refused(tiny_bundle)
    assert file in message
    assert "get a fresh copy" in message


@pytest.mark.parametrize("file", FILES)
def test_a_graph_file_with_extra_bytes_is_refused(tiny_bundle: Path, file: str) -> None:
    with (tiny_bundle / file).open("ab") as stream:
        stream.write(b"\0")
    assert file in refused(tiny_bundle)


@pytest.mark.parametrize("file", GRAPHS)
def test_a_flipped_byte_is_refused(tiny_bundle: Path, file: str) -> None:
    """In the manifest too: test_manifest flips every one of its bytes."""
    raw = (tiny_bundle / file).read_bytes()
    for position in random.Random(0).sample(range(len(raw)), 60):
        (tiny_bundle / file).write_bytes(raw[:position] + bytes([raw[position] ^ 0x10]) + raw[position + 1 :])
        assert f"{file} has the SHA-256" in refused(tiny_bundle)
    (tiny_bundle / file).write_bytes(raw)
    open_bundle(tiny_bundle).close()


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_refused(tiny_bundle: Path, file: str) -> None:
    (tiny_bundle / file).unlink()
    assert f"{file} cannot be read (No such file" in refused(tiny_bundle)


@pytest.mark.parametrize("file", FILES)
def test_a_symbolic_link_within_a_bundle_is_refused(tiny_bundle: Path, file: str) -> None:
    outside = tiny_bundle.parent / file
    shutil.move(tiny_bundle / file, outside)
    (tiny_bundle / file).symlink_to(outside)
    assert f"{file} is a link" in refused(tiny_bundle)


@pytest.mark.parametrize("file", FILES)
def test_a_graph_that_is_no_regular_file_is_refused(tiny_bundle: Path, file: str) -> None:
    (tiny_bundle / file).unlink()
    (tiny_bundle / file).mkdir()
    assert f"{file} cannot be read" in refused(tiny_bundle)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("file", FILES)
@pytest.mark.timeout(20)
def test_a_named_pipe_does_not_hang(tiny_bundle: Path, file: str) -> None:
    (tiny_bundle / file).unlink()
    os.mkfifo(tiny_bundle / file)
    assert "not a regular file" in refused(tiny_bundle)


def test_an_oversized_manifest_is_refused_unread(tiny_bundle: Path) -> None:
    with (tiny_bundle / "manifest.json").open("r+b") as stream:
        stream.truncate(2**34)  # sparse
    assert "is longer than" in refused(tiny_bundle)


def _with_file(name: str, change: Callable[[GraphFile], GraphFile]) -> Callable[[Manifest], Manifest]:
    return lambda manifest: _with_graph(manifest, name, change(manifest.variant("fp32").graphs[name]))


def _with_states(manifest: Manifest, dtypes: dict[str, StateDtype]) -> Manifest:
    full = replace(manifest.variant("fp32"), state_dtypes=dtypes)
    return replace(manifest, states=tuple(StateShape(name, (1, 3)) for name in dtypes), variants={"fp32": full})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_with_file("stages", lambda file: replace(file, sha256="0" * 64)), "000000000000... was exported"),
        (_with_file("stages", lambda file: replace(file, bytes=file.bytes + 1)), "were exported"),
        (_with_file("stages", lambda file: replace(file, bytes=file.bytes - 1)), "were exported"),
        (_with_file("stages", lambda file: replace(file, file="other.onnx")), "other.onnx cannot be read"),
        (lambda manifest: _with_states(manifest, {}), "extractor graph has inputs"),
        (lambda manifest: replace(manifest, states=(StateShape("step", (2, 3)),)), "shape of state step"),
        (lambda manifest: _with_states(manifest, {"step": "float16"}), "type of state step"),
        (
            lambda manifest: replace(manifest, network=replace(manifest.network, feature_channels=4)),
            "manifest declares",
        ),
        (lambda manifest: replace(manifest, proposals=replace(manifest.proposals, roi_bins=8)), "manifest declares"),
        (
            lambda manifest: replace(manifest, preprocessing=replace(manifest.preprocessing, crop=(17, 16))),
            "manifest declares",
        ),
    ],
)
def test_a_valid_manifest_of_other_graphs_is_refused(
    tiny_bundle: Path, tiny_manifest: Manifest, change: Callable[[Manifest], Manifest], reason: str
) -> None:
    write_manifest(tiny_bundle, change(tiny_manifest))
    assert reason in refused(tiny_bundle)


@pytest.mark.parametrize("name", ["extractor", "stages", "evaluator"])
@pytest.mark.parametrize(
    "graph",
    [pickle.dumps({"weights": [1.0]}), b"\0" * 100, b"\x10\0\0\0ORTM" + b"\0" * 100],
    ids=["pickle", "0", "ort"],
)
def test_a_graph_that_is_not_onnx_is_refused(
    tiny_bundle: Path, name: str, graph: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    replace_graph(tiny_bundle, name, graph)
    assert f"cannot load the {name} graph" in refused(tiny_bundle)
    assert capfd.readouterr() == ("", "")


def test_onnx_runtimes_own_format_is_refused(tiny_bundle: Path, tiny_graphs: dict[str, bytes], tmp_path: Path) -> None:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "stages.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(tiny_graphs["stages"], options, providers=["CPUExecutionProvider"])
    replace_graph(tiny_bundle, "stages", (tmp_path / "stages.ort").read_bytes())
    assert "cannot load the stages graph" in refused(tiny_bundle)


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd"])
def test_a_graph_with_data_outside_of_it_is_refused(
    tiny_bundle: Path, tiny_graphs: dict[str, bytes], location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the file it asks for is there: in the bundle, or in the working directory ONNX Runtime looks in."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(tiny_graphs["stages"])
    tensor = model.graph.initializer.add(name="unused", data_type=1, dims=[4], data_location=1)
    tensor.external_data.add(key="location", value=location)
    monkeypatch.chdir(tiny_bundle)
    (tiny_bundle / "weights.bin").write_bytes(bytes(16))
    replace_graph(tiny_bundle, "stages", model.SerializeToString())
    assert "stages.onnx refers to data outside itself" in refused(tiny_bundle)


def test_graphs_in_each_others_place_are_refused(tiny_bundle: Path, tiny_graphs: dict[str, bytes]) -> None:
    replace_graph(tiny_bundle, "stages", tiny_graphs["evaluator"])
    assert "the stages graph has inputs" in refused(tiny_bundle)


def test_a_file_a_zip_and_a_missing_path_are_refused(tmp_path: Path) -> None:
    ordinary = tmp_path / "a.cmsn"
    ordinary.write_text("{}")
    assert "is a file" in refused(ordinary)
    with zipfile.ZipFile(tmp_path / "b.cmsn", "w") as archive:
        archive.writestr("manifest.json", json.dumps({}))
    assert "is a file" in refused(tmp_path / "b.cmsn")
    assert "does not exist" in refused(tmp_path / "c.cmsn")
    (tmp_path / "d.cmsn").mkdir()
    assert "manifest.json cannot be read" in refused(tmp_path / "d.cmsn")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    assert "cannot be read (File name too long)" in refused(Path("a" * 5000))
    assert "does not exist" in refused(Path("a\0b"))


def test_a_bundle_of_format_1_runs(tiny_bundle: Path, tiny_manifest: Manifest) -> None:
    """Its graphs are the same; only how the manifest lists them has changed."""
    content = json.loads((tiny_bundle / "manifest.json").read_text(encoding="utf-8"))
    full = content.pop("variants")["fp32"]
    for graph in full["graphs"].values():
        del graph["precision"]
    parity = {**full["parity"]["errors"], "tolerance": full["parity"]["tolerance"]}
    content |= {"format_version": 1, "graphs": full["graphs"], "parity": parity}
    del content["digest"]

    def spelled(value: object) -> str:
        return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"

    content["digest"] = hashlib.sha256(spelled(content).encode()).hexdigest()
    (tiny_bundle / "manifest.json").write_text(spelled(content), encoding="utf-8")
    with open_bundle(tiny_bundle) as bundle:
        assert bundle.manifest == tiny_manifest
        assert bundle.stream().flush() == []


@pytest.mark.parametrize("name", ["demo", "cctv"])
def test_bundles_in_the_package_are_of_the_newest_format(name: str, tmp_path: Path) -> None:
    folder = locate_bundle(name)
    manifest = read_manifest(folder)
    write_manifest(tmp_path, manifest)
    assert (tmp_path / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()
    assert {precision: set(variant.state_dtypes.values()) for precision, variant in manifest.variants.items()} == {
        "fp32": {"float32"},
        "fp16": {"float16"},
        "int8": {"float32"},
    }
    for graph in manifest.graph_files:
        read_graph(folder, graph)


def test_an_unknown_backend_and_wrong_threads_are_refused(tiny_bundle: Path) -> None:
    with pytest.raises(SettingsError, match=r"must be one of auto, onnxruntime, .*openvino, .*ort-cuda, .*tensorrt"):
        open_bundle(tiny_bundle, backend="tpu")
    with pytest.raises(SettingsError, match="threads is 0"):
        open_bundle(tiny_bundle, threads=0)


def test_a_folder_named_like_a_shipped_bundle_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert locate_bundle("demo") == DEMO_BUNDLE
    (tmp_path / "demo" / "manifest.json").write_text("{}")
    assert locate_bundle("demo") == Path("demo")
