"""A tiny bundle that is real in every way but what it computes: three ONNX graphs of a few nodes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from command_line import ACTION, clip

from cmsn_runtime.manifest.contents import GraphFile, Manifest, NetworkFacts, Parity, StateShape, Variant
from cmsn_runtime.manifest.writing import write_manifest
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.tracker import TrackerSettings

CHANNELS, BINS, STRIDE = 3, 4, 8

Tensor = tuple[str, int, list[Any]]  # name, element type, sides


@pytest.fixture(scope="session")
def tiny_graphs() -> dict[str, bytes]:
    """extractor: a step's feature is its mean colour, one step late.

    stages: red means Background, green Start, blue End.
    evaluator: sigmoid of the largest feature in the rows it is given (modulo the window, it has no table).
    """
    pytest.importorskip("onnx", reason="building the tiny bundle needs onnx, which the runtime does without")
    return {"extractor": _extractor(), "stages": _stages(), "evaluator": _evaluator()}


@pytest.fixture
def tiny_manifest(tiny_graphs: dict[str, bytes]) -> Manifest:
    """The manifest that goes with them."""
    return manifest_of(tiny_graphs)


@pytest.fixture
def tiny_bundle(tmp_path: Path, tiny_graphs: dict[str, bytes], tiny_manifest: Manifest) -> Path:
    """A bundle folder of one's own, to be opened or damaged."""
    folder = tmp_path / "tiny.cmsn"
    folder.mkdir()
    for name, graph in tiny_graphs.items():
        (folder / f"{name}.onnx").write_bytes(graph)
    write_manifest(folder, tiny_manifest)
    return folder


@pytest.fixture
def plain_manifest() -> Manifest:
    """A manifest of graphs that are none: for what is decided before any graph is looked at."""
    return manifest_of({name: name.encode() for name in ("extractor", "stages", "evaluator")})


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos for the tiny bundle: action.mp4 holds one action, long.mp4 thirty, so that something can happen in it."""
    folder = tmp_path_factory.mktemp("clips")
    clip(folder / "action.mp4", ACTION)
    clip(folder / "long.mp4", ACTION * 30)
    return folder


@pytest.fixture
def video(clips: Path, tmp_path: Path) -> Path:
    """A video of one's own with one action, from 64 to 128 frames."""
    return Path(shutil.copy(clips / "action.mp4", tmp_path))


@pytest.fixture
def long_video(clips: Path, tmp_path: Path) -> Path:
    """The same thirty times over."""
    return Path(shutil.copy(clips / "long.mp4", tmp_path))


def manifest_of(graphs: dict[str, bytes]) -> Manifest:
    """Everything as the graphs above are; a rate that is no whole number."""
    return Manifest(
        name="tiny",
        created="2024-05-06T07:08:09+00:00",
        network=NetworkFacts(width=0.5, feature_channels=CHANNELS, delay_steps=1, receptive_field_frames=16),
        grid=TimeGrid(Fraction(30000, 1001), STRIDE, window=48),
        preprocessing=Preprocessing(resize=(18, 24), crop=(16, 16), mean=(1.0, 2.0, 3.0)),
        proposals=ProposalSettings(roi_bins=BINS),
        tracking=TrackerSettings(),
        states=(StateShape("step", (1, CHANNELS)),),
        variants={
            "fp32": Variant(
                graphs={
                    name: GraphFile(f"{name}.onnx", len(graph), hashlib.sha256(graph).hexdigest())
                    for name, graph in graphs.items()
                },
                parity=Parity({"extractor": 1e-6, "stages": 0.0, "evaluator": 2e-7}, tolerance=1e-4),
                state_dtypes={"step": "float32"},
            )
        },
        training={"seed": 7, "name": "Köln", "nested": {"list": [1, 2.5, None, True]}},
    )


def _extractor() -> bytes:
    from onnx import TensorProto, helper

    frames: Tensor = ("frames", TensorProto.UINT8, ["batch", "frames", 16, 16, 3])
    counters: list[Tensor] = [(name, TensorProto.INT64, ["batch"]) for name in ("position", "length")]
    past: Tensor = ("past.step", TensorProto.FLOAT, ["batch", 1, CHANNELS])
    following: Tensor = ("next.step", TensorProto.FLOAT, ["batch", 1, CHANNELS])
    return _model(
        [
            helper.make_node("Cast", ["frames"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["pixels"], ["colours"], axes=[2, 3], keepdims=0),
            helper.make_node("Reshape", ["colours", "by_step"], ["stacked"]),
            helper.make_node("ReduceMean", ["stacked"], ["steps"], axes=[2], keepdims=0),
            helper.make_node("Concat", ["past.step", "steps"], ["all"], axis=1),
            helper.make_node("Slice", ["all", "zero", "minus_one", "axis"], ["features"]),
            helper.make_node("Slice", ["all", "minus_one", "end", "axis"], ["next.step"]),
        ],
        inputs=[frames, *counters, past],
        outputs=[("features", TensorProto.FLOAT, ["batch", "steps", CHANNELS]), following],
        constants={
            "by_step": np.array([0, -1, STRIDE, CHANNELS]),
            "zero": np.array([0]),
            "minus_one": np.array([-1]),
            "end": np.array([2**40]),
            "axis": np.array([1]),
        },
    )


def _stages() -> bytes:
    from onnx import TensorProto, helper

    return _model(
        [
            helper.make_node("MatMul", ["features", "colour_to_stage"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        ],
        inputs=[("features", TensorProto.FLOAT, [1, "steps", CHANNELS])],
        outputs=[("probabilities", TensorProto.FLOAT, [1, "steps", 6])],
        constants={"colour_to_stage": np.eye(6, dtype=np.float32)[[0, 2, 4]]},
    )


def _evaluator() -> bytes:
    from onnx import TensorProto, helper

    rows: list[Tensor] = [(name, TensorProto.INT64, ["proposals", BINS]) for name in ("left", "right")]
    return _model(
        [
            helper.make_node("Shape", ["features"], ["steps"], start=0, end=1),
            helper.make_node("Max", ["left", "right"], ["either"]),
            helper.make_node("Mod", ["either", "steps"], ["within"]),
            helper.make_node("Gather", ["features", "within"], ["bins"]),
            helper.make_node("ReduceMax", ["bins"], ["largest"], axes=[1, 2], keepdims=0),
            helper.make_node("Sigmoid", ["largest"], ["scores"]),
        ],
        inputs=[("features", TensorProto.FLOAT, ["steps_in", CHANNELS]), *rows],
        outputs=[("scores", TensorProto.FLOAT, ["proposals"])],
        constants={},
    )


def _model(
    nodes: Sequence[Any],
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    constants: dict[str, npt.NDArray[Any]],
) -> bytes:
    """A checked ONNX file of opset 17."""
    import onnx
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*item) for item in inputs],
        [helper.make_tensor_value_info(*item) for item in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString()
    return serialised
