"""`cmsn build` over a simulated TensorRT of three ages: what is built, what is kept, and what is refused."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_cuda import Machine, process_on
from fake_tensorrt import FakeTensorRT
from rich.console import Console

pytest.importorskip("onnx", reason="the simulated TensorRT parses graphs with onnx")

from cmsn_export.building import BuildPlan, Outcome, build_engines, inspect_graphs
from cmsn_export.engine_building import BuilderSettings
from cmsn_export.engine_progress import BuildProgress
from cmsn_runtime.backends.shapes import EngineSizes, engine_shapes
from cmsn_runtime.backends.tensorrt import cuda as cuda_module
from cmsn_runtime.backends.tensorrt.engine_files import read_sidecar
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_manifest
from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import BackendError, BundleError, SettingsError
from cmsn_runtime.stopping import stoppable

VERSIONS = ["8.6.2.3", "10.3.0.26", "11.4.0.106"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    shutil.copytree(DEMO_BUNDLE, tmp_path / "x.cmsn", ignore=shutil.ignore_patterns("engines"))
    return tmp_path / "x.cmsn"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with process_on(Machine(), monkeypatch) as machine:
        yield machine


@pytest.fixture
def library(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> FakeTensorRT:
    library = FakeTensorRT(machine, version="10.3.0.26")
    library.install(monkeypatch)
    return library


def outcomes(library: FakeTensorRT, bundle: Path, *, force: bool = False, **changes: Any) -> list[Outcome]:
    sizes = EngineSizes(**{key: changes.pop(key) for key in ("cameras", "chunk_frames") if key in changes})
    precision = changes.pop("precision", "fp16")
    plan = BuildPlan(
        bundle=bundle,
        engines=bundle / "engines",
        sizes=sizes,
        builder=BuilderSettings(timing_cache=bundle / "engines" / "timing.cache", **changes),
        precision=precision,
    )
    return list(build_engines(library.module(), plan, force=force))


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cmsn, ["build", *map(str, arguments)])


@pytest.mark.parametrize("version", VERSIONS)
def test_each_tensorrt_version_builds_all_engines(
    version: str, machine: Machine, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = FakeTensorRT(machine, version=version)
    library.install(monkeypatch)
    built = outcomes(library, bundle)
    assert [(outcome.graph, outcome.precision, outcome.built) for outcome in built] == [
        ("extractor", "fp16", True),
        ("stages", "fp32", True),
        ("evaluator", "fp16", True),
    ]
    sidecar = read_sidecar(bundle / "engines", "extractor")
    assert sidecar is not None
    assert (sidecar.key.library, sidecar.key.gpu, sidecar.key.compute_capability) == (version, "Fake GPU", "9.0")
    assert sidecar.key.onnx_sha256 == read_manifest(bundle).variant("fp16").graphs["extractor"].sha256


def test_engines_that_are_up_to_date_are_kept(library: FakeTensorRT, bundle: Path) -> None:
    outcomes(library, bundle)
    again = outcomes(library, bundle)
    assert not any(outcome.built for outcome in again)
    assert library.builds == 3
    assert all(outcome.built for outcome in outcomes(library, bundle, force=True))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cameras": 4}, "shapes"),
        ({"chunk_frames": 16}, "shapes"),
        ({"precision": "fp32"}, "precision"),
        ({"level": 5}, "level"),
        ({"workspace_bytes": 2**30}, "workspace_bytes"),
        ({"version_compatible": True}, "version_compatible"),
    ],
)
def test_a_setting_that_changed_builds_again(
    library: FakeTensorRT, bundle: Path, changes: dict[str, Any], reason: str
) -> None:
    outcomes(library, bundle)
    first = outcomes(library, bundle, **changes)[0]
    assert first.built
    assert reason in first.reason


def test_another_gpu_or_tensorrt_builds_again(
    library: FakeTensorRT, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes(library, bundle)
    other = Machine(name="Orin", capability=(8, 7), integrated=True)
    cuda_module._primary_context.cache_clear()
    other.install(monkeypatch)
    newer = FakeTensorRT(other, version="10.4.0.26")
    reason = outcomes(newer, bundle)[0].reason
    assert all(word in reason for word in ("library", "gpu", "compute_capability"))


@pytest.mark.parametrize("damage", ["cut", "gone", "sidecar"])
def test_a_damaged_engine_is_built_again(library: FakeTensorRT, bundle: Path, damage: str) -> None:
    outcomes(library, bundle)
    engine = bundle / "engines" / "stages.engine"
    if damage == "cut":
        engine.write_bytes(engine.read_bytes()[:-1])
    elif damage == "gone":
        engine.unlink()
    else:
        engine.with_name("stages.engine.json").write_text("{}")
    assert [outcome.built for outcome in outcomes(library, bundle)] == [False, True, False]


def test_measured_kernels_are_kept_between_builds(library: FakeTensorRT, bundle: Path) -> None:
    outcomes(library, bundle)
    measured = library.timed_layers
    assert measured > 0
    outcomes(library, bundle, force=True)
    assert library.timed_layers == measured
    (bundle / "engines" / "timing.cache").write_bytes(b"damaged")
    outcomes(library, bundle, force=True)
    assert library.timed_layers == 2 * measured


def test_a_layer_that_is_refused_is_named_and_the_old_engine_stays(
    library: FakeTensorRT, machine: Machine, bundle: Path
) -> None:
    outcomes(library, bundle)
    before = (bundle / "engines" / "stages.engine").read_bytes()
    without = FakeTensorRT(machine, version="10.3.0.26", refuses=["LSTM"])
    with pytest.raises(BackendError, match=r"cannot parse the stages graph: .*LSTM"):
        outcomes(without, bundle, force=True)
    assert (bundle / "engines" / "stages.engine").read_bytes() == before


def test_a_failed_build_reports_the_reason(machine: Machine, bundle: Path) -> None:
    with pytest.raises(BackendError, match=r"could not build the extractor engine: .*no kernel.*--workspace"):
        outcomes(FakeTensorRT(machine, version="10.3.0.26", build_error="no kernel fits"), bundle)
    assert not list(bundle.glob("engines/*.engine"))


@pytest.mark.parametrize("version", VERSIONS)
def test_progress_is_shown_where_tensorrt_reports_it(version: str, machine: Machine, bundle: Path) -> None:
    text = io.StringIO()
    library = FakeTensorRT(machine, version=version)
    plan = BuildPlan(bundle=bundle, engines=bundle / "engines", sizes=EngineSizes(), builder=BuilderSettings())
    phases: list[str] = []

    class Watched(BuildProgress):
        def begin(self, phase: str, steps: int | None) -> None:
            phases.append(phase)
            super().begin(phase, steps)

    with Watched(Console(file=text, force_terminal=True)) as progress:
        list(build_engines(library.module(), plan, progress=progress))
    assert bool(phases) == (version != "8.6.2.3")


def test_the_name_of_a_build_phase_is_not_read_as_markup() -> None:
    text = io.StringIO()
    with BuildProgress(Console(file=text, force_terminal=True)) as progress:
        progress.begin("Tactics of [/conv] \x9b31m", 3)
        progress.step("Tactics of [/conv] \x9b31m", 1)
    assert r"Tactics of [/conv] \x9b31m" in text.getvalue()


def test_a_precision_that_a_bundle_lacks_is_refused_by_name(library: FakeTensorRT, bundle: Path) -> None:
    with pytest.raises(SettingsError, match=r"precision is 'int4'; demo has fp16, fp32, int8"):
        outcomes(library, bundle, precision="int4")
    assert library.builds == 0


@pytest.mark.usefixtures("signals_as_at_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_build_and_leaves_no_partial_engine(
    library: FakeTensorRT, bundle: Path, number: signal.Signals
) -> None:
    class Impatient(BuildProgress):
        def step(self, phase: str, done: int) -> None:
            os.kill(os.getpid(), number)

    def build() -> int:
        plan = BuildPlan(bundle=bundle, engines=bundle / "engines", sizes=EngineSizes(), builder=BuilderSettings())
        with Impatient(Console(file=io.StringIO())) as progress:
            list(build_engines(library.module(), plan, progress=progress))
        return 0

    assert stoppable(build) == 128 + number
    assert not list(bundle.glob("engines/*"))


def test_a_folder_that_cannot_be_written_is_reported_before_anything_is_built(
    library: FakeTensorRT, bundle: Path
) -> None:
    (bundle / "engines").write_text("a file")
    with pytest.raises(BackendError, match="--engines"):
        outcomes(library, bundle)
    assert library.builds == 0


def test_engines_are_built_though_the_timing_cache_cannot_be_written(
    library: FakeTensorRT, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    builder = BuilderSettings(timing_cache=tmp_path / "file" / "timing.cache")
    plan = BuildPlan(bundle=bundle, engines=bundle / "engines", sizes=EngineSizes(), builder=builder)
    assert all(outcome.built for outcome in build_engines(library.module(), plan))


def test_no_gpu_is_reported_before_anything_is_built(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(driver=False)
    machine.install(monkeypatch)
    FakeTensorRT(machine, version="10.3.0.26").install(monkeypatch)
    result = command(bundle)
    assert result.exit_code == 1
    assert "there is no working NVIDIA driver" in str(result.exception)


def test_the_command_reports_what_it_builds_and_keeps(library: FakeTensorRT, bundle: Path, tmp_path: Path) -> None:
    first = command(bundle, "--cameras", "2", "--level", "1", "--engines", tmp_path / "there")
    assert first.exit_code == 0, first.output
    assert "extractor: built (it is missing), FP16" in first.output
    assert "stages: built (it is missing), FP32" in first.output
    again = command(bundle, "--cameras", "2", "--level", "1", "--engines", tmp_path / "there")
    assert again.output.count("kept (it is up to date)") == 3
    sidecar = json.loads((tmp_path / "there" / "extractor.engine.json").read_text())
    assert sidecar["key"]["shapes"]["frames"] == [[1, 8, 48, 64, 3], [2, 8, 48, 64, 3], [2, 8, 48, 64, 3]]


def test_a_dry_run_builds_nothing(library: FakeTensorRT, bundle: Path) -> None:
    result = command(bundle, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "/conv1a/Conv" in result.output
    assert library.builds == 0
    assert not (bundle / "engines").exists()


def test_dry_runs_need_no_gpu_with_tensorrt_rtx(bundle: Path) -> None:
    """The real parser: every graph is taken, and the convolutions compute in FP16."""
    rtx = pytest.importorskip("tensorrt_rtx")
    plan = BuildPlan(bundle=bundle, engines=bundle / "engines", sizes=EngineSizes(), builder=BuilderSettings())
    found = {name: (precision, parsed.listed()) for name, precision, parsed in inspect_graphs(rtx, plan)}
    assert ("CONVOLUTION", "HALF", "/conv5b/Conv") in found["extractor"][1]
    assert found["stages"][0] == "fp32"


def test_damaged_graphs_and_impossible_sizes_are_refused(library: FakeTensorRT, bundle: Path) -> None:
    with pytest.raises(SettingsError, match="multiple of the stride, 8"):
        outcomes(library, bundle, chunk_frames=12)
    with pytest.raises(SettingsError, match="cameras is 0"):
        EngineSizes(cameras=0)
    (bundle / "stages.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"stages\.onnx"):
        outcomes(library, bundle)


def test_engine_shapes_cover_everything_that_streams_feed() -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    one = engine_shapes(manifest, "extractor", EngineSizes())
    assert all(smallest == largest for smallest, _, largest in one.values())
    many = engine_shapes(manifest, "extractor", EngineSizes(cameras=8))
    assert many["past.conv1a"] == ((1, 3, 2, 48, 64), (8, 3, 2, 48, 64), (8, 3, 2, 48, 64))
    assert engine_shapes(manifest, "stages", EngineSizes())["features"] == ((1, 1, 64), (1, 96, 64), (1, 96, 64))
    assert engine_shapes(manifest, "evaluator", EngineSizes())["left"] == ((1, 8), (128, 8), (1024, 8))
