"""What OpenVINO is opened with, what is believed of it, and what takes over."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ACTION

from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.backends.engine_cache import cache_folder, graphs_folder
from cmsn_runtime.backends.openvino import extracting, library, opening, precisions, self_check
from cmsn_runtime.backends.openvino.backend import OpenVinoBackend
from cmsn_runtime.backends.registry import Networks
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.errors import BackendWarning, BundleError, MissingExtraError, SettingsError
from cmsn_runtime.events import Event
from cmsn_runtime.manifest.contents import GraphFile, Parity
from cmsn_runtime.manifest.writing import write_manifest
from cmsn_runtime.pictures.frame import Frame


def opened(bundle: Path, backend: str = "openvino", **options: Any) -> tuple[str, bool]:
    """The name of the backend, and whether nothing had to be compiled."""
    with open_bundle(bundle, backend=backend, **options) as found:
        assert isinstance(found.backend, OpenVinoBackend)
        return found.backend.name, found.backend.extractor.loaded_from_cache()


def events_of(bundle: Path, backend: str) -> list[Event]:
    with open_bundle(bundle, backend=backend) as found, found.stream(min_score=0.0) as stream:
        events = [
            event
            for number, colour in enumerate(ACTION)
            for event in stream.push(Frame(np.full((20, 30, 3), colour, np.uint8), number * Fraction(1001, 30000)))
        ]
        events += stream.flush()
    return [event for event in events if isinstance(event, Event)]


def test_the_events_are_those_of_onnx_runtime(tiny_bundle: Path) -> None:
    found, expected = (events_of(tiny_bundle, name) for name in ("openvino", "onnxruntime"))
    assert [event.kind for event in found] == [event.kind for event in expected]
    assert "final" in {event.kind for event in found}
    for event, other in zip(found, expected, strict=True):
        assert (event.rank, event.seconds) == (other.rank, other.seconds)
        if event.proposal and other.proposal:
            assert (event.proposal.start, event.proposal.end) == (other.proposal.start, other.proposal.end)
            assert event.proposal.score == pytest.approx(other.proposal.score, abs=1e-5)


def test_it_says_what_it_computes_with(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "capabilities", lambda device: {"FP32", "BF16"})
    for name, extractor in (("openvino", "fp32"), ("openvino-bf16", "bf16")):
        with open_bundle(tiny_bundle, backend=name, threads=2) as found:
            assert isinstance(found.backend, OpenVinoBackend)
            assert found.backend.arithmetic == Arithmetic(
                library="openvino", device="cpu", variant="fp32", extractor=extractor, threads=2
            )


def test_auto_prefers_it_in_fp32_to_onnx_runtime(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMSN_AUTO_BACKENDS")
    name, _ = opened(tiny_bundle, "auto")
    assert name.startswith("OpenVINO ") and "(CPU, FP32; scores: ONNX Runtime " in name


def test_the_second_opening_compiles_and_measures_nothing(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(tiny_bundle)[1] is False
    monkeypatch.setattr(self_check, "feature_error", pytest.fail)
    assert opened(tiny_bundle)[1] is True


def test_each_precision_has_a_cache_of_its_own(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "capabilities", lambda device: {"FP32", "BF16"})
    monkeypatch.setattr(self_check, "feature_error", lambda *_: 0.0)
    assert opened(tiny_bundle)[1] is False
    assert opened(tiny_bundle, "openvino-bf16")[1] is False
    assert len(list(graphs_folder(read_manifest(tiny_bundle)).iterdir())) == 2


def test_a_damaged_cache_is_replaced(tiny_bundle: Path) -> None:
    opened(tiny_bundle)
    files = [path for path in cache_folder().rglob("*") if path.is_file()]
    assert {path.suffix for path in files if path.name != ".lock"} == {".blob", ".json"}
    for path in files:
        path.chmod(0o600)
        path.write_bytes(b"no such thing")
    assert opened(tiny_bundle)[1] is False
    assert opened(tiny_bundle)[1] is True


def test_without_a_folder_that_can_be_written_it_works_uncached(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CMSN_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert [opened(tiny_bundle)[1] for _ in range(2)] == [False, False]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system knows no owners")
def test_what_others_may_have_written_is_not_loaded(tiny_bundle: Path) -> None:
    opened(tiny_bundle)
    cache_folder().chmod(0o777)
    with pytest.raises(BundleError, match="writable by others"):
        open_bundle(tiny_bundle, backend="openvino")


def measured(**errors: float) -> Callable[..., float]:
    """A self-check that finds these errors by precision."""

    def error(backend: OpenVinoBackend, *_: object) -> float:
        return next(value for name, value in errors.items() if f", {name};" in backend.name)

    return error


def test_half_precision_beyond_its_limit_gives_way_to_fp32(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "capabilities", lambda device: {"FP32", "BF16"})
    monkeypatch.setattr(self_check, "feature_error", measured(BF16=0.034, FP32=2e-6))
    for _ in range(2):  # measured, and remembered
        with pytest.warns(
            BackendWarning, match=r"in BF16 .* differ from ONNX Runtime's by 3.4e-02; at most 1e-02 .*FP32 takes over"
        ):
            assert ", FP32;" in opened(tiny_bundle, "openvino-bf16")[0]


def test_where_fewer_products_are_beyond_the_limit_all_are_computed(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([2e-5, 2e-6])
    monkeypatch.setattr(self_check, "feature_error", lambda *_: next(errors))
    compiled: list[bool] = []
    original = opening._opened

    def spied(networks: Networks, precision: precisions.Precision, *, winograd: bool) -> OpenVinoBackend:
        compiled.append(winograd)
        return original(networks, precision, winograd=winograd)

    monkeypatch.setattr(opening, "_opened", spied)
    assert ", FP32;" in opened(tiny_bundle)[0]
    assert compiled == [True, False]


def test_fp32_beyond_its_limit_is_refused(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "feature_error", measured(FP32=3e-5))
    with pytest.raises(BundleError, match=r"by 3.0e-05; at most 1e-05 is allowed .*take --backend onnxruntime"):
        open_bundle(tiny_bundle, backend="openvino")


def test_auto_passes_over_what_is_beyond_its_limit(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMSN_AUTO_BACKENDS")
    monkeypatch.setattr(self_check, "feature_error", measured(FP32=float("nan")))
    with (
        pytest.warns(BackendWarning, match="the backend openvino cannot be used .*the next best one takes over"),
        open_bundle(tiny_bundle) as bundle,
    ):
        assert bundle.backend.name.startswith("ONNX Runtime")


def test_a_network_that_is_silently_masked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bounded counters, OpenVINO makes 0 of the length 2**40."""
    monkeypatch.setattr(extracting, "counters", lambda position, length, *, stride: (position, length))
    with pytest.raises(BundleError, match=r"features that differ from ONNX Runtime's by 1\.0e\+00"):
        open_bundle("demo", backend="openvino")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_precision_that_the_processor_lacks_is_refused_in_one_line(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(precisions, "capabilities", lambda device: {"FP32", "INT8"})
    wanted = rf"has no {precision.upper()} in OpenVINO, which lists FP32, INT8; take --backend openvino"
    with pytest.raises(BundleError, match=wanted) as caught:
        open_bundle(tiny_bundle, backend=f"openvino-{precision}")
    assert "\n" not in str(caught.value)


def test_a_bundle_without_int8_is_refused_with_what_it_has(tiny_bundle: Path) -> None:
    with pytest.raises(SettingsError, match="precision is 'int8'; tiny has fp32"):
        open_bundle(tiny_bundle, backend="openvino-int8")


def test_quantised_graphs_run_as_they_come(tiny_bundle: Path, tiny_graphs: dict[str, bytes]) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(tiny_graphs["extractor"])
    (mean,) = (node for node in model.graph.node if node.output[0] == "colours")
    mean.input[0] = "rounded"
    new, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    model.graph.node.insert(1, new("DequantizeLinear", ["quantised", "scale", "zero_point"], ["rounded"]))
    model.graph.node.insert(1, new("QuantizeLinear", ["pixels", "scale", "zero_point"], ["quantised"]))
    model.graph.initializer.extend([tensor(np.float32(2), "scale"), tensor(np.uint8(0), "zero_point")])
    graph = model.SerializeToString()
    (tiny_bundle / "extractor.int8.onnx").write_bytes(graph)
    manifest = read_manifest(tiny_bundle)
    full = manifest.variant("fp32")
    file = GraphFile("extractor.int8.onnx", len(graph), hashlib.sha256(graph).hexdigest(), "int8")
    parity = Parity(full.parity.errors, tolerance=1e-2)
    variant = replace(full, graphs={**full.graphs, "extractor": file}, parity=parity)
    (tiny_bundle / "manifest.json").unlink()
    write_manifest(tiny_bundle, replace(manifest, variants={"fp32": full, "int8": variant}))
    assert ", INT8 and " in opened(tiny_bundle, "openvino-int8")[0]


@pytest.mark.parametrize("name", ["threads", "largest_batch"])
def test_less_than_one_thread_or_camera_is_refused(tiny_bundle: Path, name: str) -> None:
    options: dict[str, Any] = {name: 0}
    with pytest.raises(SettingsError, match=f"{name} is 0; it must be at least 1"):
        open_bundle(tiny_bundle, backend="openvino", **options)


def test_states_that_differ_from_the_manifest_are_refused(tiny_bundle: Path) -> None:
    manifest = read_manifest(tiny_bundle)
    (tiny_bundle / "manifest.json").unlink()
    full = replace(manifest.variant("fp32"), state_dtypes={"step": "float16"})
    write_manifest(tiny_bundle, replace(manifest, variants={"fp32": full}))
    with pytest.raises(
        BundleError, match="the extractor graph has type of state step float32; its bundle needs float16"
    ):
        open_bundle(tiny_bundle, backend="openvino")


def test_a_missing_package_names_its_extra(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'")

    library.load_openvino.cache_clear()
    monkeypatch.setattr(library, "import_module", absent)
    with pytest.raises(
        MissingExtraError, match=r"needs openvino, which is not installed: pip install 'cmsn\[openvino\]'"
    ):
        open_bundle(tiny_bundle, backend="openvino")


WATCHED = """
import pathlib, sys
pathlib.Path(__file__).with_name("imported").touch()
"""
LOADS = """
import sys
from cmsn_runtime.backends.openvino.library import load_openvino
load_openvino()
assert "openvino_telemetry" not in sys.modules
"""


def test_openvino_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    """`import openvino` would send an event, under an identity that it writes into the home folder."""
    package = tmp_path / "path" / "openvino_telemetry"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(WATCHED)
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"HOME": str(home), "PYTHONPATH": str(package.parent)}
    for code, imported in ((LOADS, False), ("import openvino", True)):  # the second: that this test would find out
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, timeout=120)
        assert (package / "imported").exists() is imported
        assert not list(home.iterdir())
