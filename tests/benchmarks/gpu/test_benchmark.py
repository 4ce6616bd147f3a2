"""The GPU benchmark runs where there is no GPU: torch on the CPU, TensorRT over the simulated one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fake_cuda import Machine, process_on
from fake_tensorrt import FakeTensorRT

pytest.importorskip("torch")

from cmsn_benchmarks.gpu.__main__ import main
from cmsn_benchmarks.gpu.agreement import answers, answers_to, differing_proposals, distance
from cmsn_benchmarks.gpu.extractor import ratios
from cmsn_benchmarks.gpu.lstm import cut_after, wrong_directions
from cmsn_benchmarks.gpu.network import network_bundle
from cmsn_benchmarks.gpu.opening import on_torch, open_on
from cmsn_benchmarks.gpu.stacks import find_stacks, without_paths
from cmsn_benchmarks.speed import extraction
from cmsn_benchmarks.speed.extraction import paper_config
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_graph, read_manifest
from cmsn_runtime.events import Proposal
from cmsn_runtime.manifest.contents import FULL_PRECISION
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.models.cmsn import CMSN

WIDTH = 0.0625


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's network at a sixteenth of its width, over a smaller picture, which changes no layer."""

    def smaller_picture(width: float) -> TrainingConfig:
        config = paper_config(width)
        preprocessing = config.preprocessing.model_copy(update={"resize": (48, 48), "crop": (48, 48)})
        return config.model_copy(update={"preprocessing": preprocessing})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "paper_config", smaller_picture)
        return network_bundle(tmp_path_factory.mktemp("network") / "network.cmsn", width=WIDTH)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorRT]:
    """TensorRT on a simulated GPU, and nothing else; everything must be given back at the end."""
    find_stacks.cache_clear()
    with process_on(Machine(), monkeypatch) as machine:
        library = FakeTensorRT(machine, version="10.3.0.26")
        library.install(monkeypatch)
        yield library
    find_stacks.cache_clear()


def run(network: Path, output: Path, *options: str) -> dict[str, Any]:
    arguments = ["--width", str(WIDTH), "--bundle", str(network), "--seconds-each", "0.02", "--json", str(output)]
    done = CliRunner().invoke(main, [*arguments, "--endurance-seconds", "0.1", "--side", "64", *options])
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(output.read_text())
    return report


def test_the_whole_benchmark_runs_with_torch_and_onnx_runtime_on_the_cpu(network: Path, tmp_path: Path) -> None:
    parts = "torch,ort,extractor,hop,endurance"
    report = run(network, tmp_path / "gpu.json", "--device", "cpu", "--cameras", "1,2", "--parts", parts)
    assert report["finished"] == ["machine", "stacks", "ceilings", "network", "hop", "endurance"]
    assert [result["cameras"] for result in report["extractor"]] == [1, 2]
    ways = {"ONNX Runtime FP32", "torch eager FP32", "torch eager FP32, channels_last_3d"}
    for result in report["extractor"]:
        assert set(result["ways"]) == ways
        assert all(min(figures.values()) >= 0 for figures in result["ways"].values())
    assert set(report["hop"]) == {"ort", "torch"}
    assert report["hop"]["torch"]["candidates_p50"] > 0
    assert not report["notes"]
    assert not any(report["stacks"][name]["found"] for name in ("torch", "ort-cuda", "tensorrt", "builder"))
    assert "/" not in json.dumps(report["machine"])
    assert report["ceilings"]["products"]["fp32"]["by"] == "torch"
    assert report["network"]["operations_per_hop"]["proposal"] > 0


def test_the_whole_benchmark_runs_with_tensorrt_on_a_simulated_gpu(
    network: Path, tmp_path: Path, library: FakeTensorRT
) -> None:
    report = run(network, tmp_path / "gpu.json", "--cameras", "1,3")
    assert [set(result["ways"]) for result in report["extractor"]] == [
        {"TensorRT FP16", "TensorRT FP16, CUDA graph"}
    ] * 2
    assert set(report["hop"]) == {"tensorrt"}
    assert [hop["cameras"] for hop in report["batches"]["tensorrt"]["hops"]] == [1, 3]
    assert {hop["largest_batch"] for hop in report["batches"]["tensorrt"]["hops"]} == {3}
    assert report["endurance"]["hops"] > 0
    assert report["stacks"]["builder"]["found"]
    assert report["ceilings"]["products"]["fp16"]["by"] == "TensorRT"


def test_a_ceiling_that_cannot_be_measured_costs_no_other_figure(
    network: Path, tmp_path: Path, library: FakeTensorRT
) -> None:
    library.refuses = frozenset({"MatMul"})
    report = run(network, tmp_path / "gpu.json", "--parts", "tensorrt,extractor", "--cameras", "1")
    assert report["ceilings"] == {}
    assert [note.split(":")[0] for note in report["notes"]] == ["ceilings"]
    assert report["extractor"][0]["ways"]["TensorRT FP16"]["frames_per_second"] > 0


def test_the_hop_can_be_left_out_and_the_timing_cache_serves_the_next_run(
    network: Path, tmp_path: Path, library: FakeTensorRT
) -> None:
    options = [
        "--parts",
        "tensorrt,extractor",
        "--cameras",
        "1",
        "--timing-cache",
        str(tmp_path / "there" / "timing.cache"),
    ]
    report = run(network, tmp_path / "gpu.json", *options)
    assert "hop" not in report
    assert library.builds == 2  # a matrix product and the extractor
    library.timed_layers = 0
    run(network, tmp_path / "gpu.json", *options)
    assert library.timed_layers == 1  # the matrix product


def test_the_benchmark_runs_on_the_cpu_without_torch(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    report = run(network, tmp_path / "gpu.json", "--device", "cpu", "--cameras", "1", "--parts", "torch,ort")
    assert report["ceilings"] == {}
    assert set(report["extractor"][0]["ways"]) == {"ONNX Runtime FP32"}
    assert set(report["hop"]) == {"ort"}
    assert report["notes"] == []


def test_a_machine_without_any_stack_is_an_error(network: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--width", str(WIDTH), "--bundle", str(network), "--json", str(tmp_path / "x")])
    assert done.exit_code == 1
    assert "none of the requested stacks works on this machine" in done.output
    assert "torch" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cameras", "0"], "above 0"),
        (["--cameras", "a"], "above 0"),
        (["--parts", "torch,jax"], "jax; the known parts are"),
        (["--parts", "hop"], "needs a stack"),
    ],
)
def test_wrong_options_are_refused_by_name(options: list[str], message: str) -> None:
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 2
    assert message in done.output


def test_a_bundle_of_another_width_is_refused(network: Path) -> None:
    done = CliRunner().invoke(main, ["--bundle", str(network), "--width", "1.0"])
    assert done.exit_code == 1
    assert "has width" in done.output


def test_a_torch_model_made_from_a_bundle_gives_the_same_answers(tmp_path: Path) -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (100, 48, 64, 3), dtype=np.uint8))
    with on_torch(DEMO_BUNDLE, device="cpu") as ours, open_on("cpu", DEMO_BUNDLE, engines=tmp_path) as theirs:
        expected = answers(theirs, frames)
        apart = distance(answers(ours, frames), expected)
        assert len(expected.features) == 13
        assert max(apart.features, apart.probabilities, apart.scores) < 1e-4
        again = distance(answers_to(theirs, expected.features), expected)
        assert (again.features, again.probabilities, again.scores) == (0, 0, 0)


def test_differing_proposals_are_listed_with_both_scores() -> None:
    def proposal(start: int, score: float) -> Proposal:
        return Proposal(Fraction(start), Fraction(start + 2), score)

    ours = [proposal(0, 0.9), proposal(3, 0.5), proposal(9, 0.31), proposal(20, 0.2)]
    theirs = [proposal(0, 0.89), proposal(3, 0.47), proposal(9, 0.295), proposal(30, 0.8)]
    assert differing_proposals(ours, theirs, least=0.3, tolerance=0.02) == [
        "3.00 to 5.00 s: 0.5000 against 0.4700",
        "30.00 to 32.00 s: none against 0.8000",
    ]


def test_a_wrong_lstm_direction_is_named() -> None:
    import onnx
    import onnxruntime  # type: ignore[import-untyped]

    graph = read_graph(DEMO_BUNDLE, read_manifest(DEMO_BUNDLE).variant(FULL_PRECISION).graphs["stages"])
    cut, output, hidden = cut_after(graph, 1)
    assert hidden == 64
    assert [item.name for item in onnx.load_from_string(cut).graph.output] == [output]
    session = onnxruntime.InferenceSession(cut, providers=["CPUExecutionProvider"])
    features = np.random.default_rng(0).normal(size=(2, 7, 64)).astype(np.float32)
    (right,) = session.run(None, {"features": features})
    assert right.shape == (7, 2, 2, 64)
    assert wrong_directions(right, right) == []
    wrong = right.copy()
    wrong[:, 1] = wrong[::-1, 1]
    (fault,) = wrong_directions(wrong, right)
    assert fault.startswith("backward is off by")
    wrong[2, 0, 0, 0] = np.nan
    assert wrong_directions(wrong, right)[0].startswith("forward is off")


def test_ratios_compare_tensorrt_with_the_fastest_torch() -> None:
    figures = {
        "torch eager FP16": {"frames_per_second": 100.0},
        "torch.compile FP16": {"frames_per_second": 200.0},
        "TensorRT FP16": {"frames_per_second": 500.0},
    }
    assert ratios(figures) == {"tensorrt_over_best_torch": 2.5, "best_torch": "torch.compile FP16"}
    assert ratios({"TensorRT FP16": {"frames_per_second": 1.0}}) == {}


def test_paths_in_messages_are_cut_to_their_last_part() -> None:
    text = "cannot open '/home/somebody/lib/libx.so.1': no such file;\n see docs/gpu-testing.md or C:\\Users\\me\\x.dll"
    assert without_paths(text) == "cannot open 'libx.so.1': no such file; see docs/gpu-testing.md or x.dll"


def test_half_extractors_normalise_in_float32() -> None:
    """On the CPU half precision is only looked at, not timed: its convolutions take forever there."""
    import torch

    from cmsn_benchmarks.gpu.torch_runs import new_state, typed
    from cmsn_training.models.incremental import IncrementalExtractor

    config = parse_config(
        {
            "data": {"videos": ".", "annotations": "."},
            "model": {"width": 0.05},
            "preprocessing": {"resize": [16, 16], "crop": [16, 16]},
        },
        origin="test",
    )
    base = CMSN(config).eval().extractor
    assert isinstance(base, IncrementalExtractor)
    half = typed(base, device="cpu", dtype=torch.float16, layout=torch.channels_last_3d)
    assert half.mean.dtype == torch.float32
    assert base.conv("conv1a").weight.dtype == torch.float32
    states = new_state(half, 2, layout=torch.channels_last_3d)
    assert {state.dtype for state in states} == {torch.float16}
    assert half.normalise(torch.zeros(1, 8, 16, 16, 3, dtype=torch.uint8)).dtype == torch.float16
