"""Feature rows end to end: pooling chunk by chunk, training, the bundle, the stream, files of every kind."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cmsn_runtime.backends.host_window import on_host

pytest.importorskip("lightning")
pytest.importorskip("onnx")

import lightning.pytorch as pl
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cmsn_export.bundling import export_bundle
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import SettingsError, SourceError
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.sources.features import FeatureSource, read_features
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted
from cmsn_runtime.streams.feature_stream import FeatureRow
from cmsn_runtime.toml_files import read_toml
from cmsn_training.checkpoint import load_model
from cmsn_training.config import load_config, parse_config, resolve_config
from cmsn_training.data.feature_windows import FeatureAugmentation, FeatureWindows, disturbed, played
from cmsn_training.data.opening import open_inputs
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.feature_extractor import FeatureExtractor
from cmsn_training.torch_backend import TorchBackend
from cmsn_training.training import train

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice about loggers and workers

WIDTH = 5
TOML = """
output = "run"
[data]
videos = "rows"
annotations = "annotations.json"
[grid]
fps = 10
stride = 2
window = 48
[features]
width = 5
difference = true
coordinates = 5
shift = 0.05
noise = 0.1
stretch = 0.2
dropout = 0.1
[model]
lstm_hidden = 24
evaluator_hidden = 16
roi_bins = 6
roi_context = 0.25
evaluator_dropout = 0.0
dropout = 0.1
[stages]
epochs = 40
learning_rate = 1e-2
schedule = "one-cycle"
batch = 4
windows_per_video = 2
[evaluator]
epochs = 2
windows_per_view = 2
views = 2
learning_rate = 1e-3
least = 4
"""


def rows_and_actions(seed: int, *, seconds: int = 60) -> tuple[npt.NDArray[np.float32], list[tuple[float, float]]]:
    """Rows whose first value rises while an action goes on, and whose second and third tell its ends."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 0.3, (seconds * 10, WIDTH)).astype(np.float32)
    actions = []
    start = 40
    while start + 60 < len(rows):
        length = int(rng.integers(20, 50))
        rows[start : start + length, 0] += 2
        rows[start : start + length // 3, 1] += 2
        rows[start + length - length // 3 : start + length, 2] += 2
        actions.append((start / 10, (start + length) / 10))
        start += length + int(rng.integers(60, 90))
    sizes, offsets = np.array([1, 1, 1, 100, 0.01]), np.array([0, 0, 0, 1000, 0])  # values of very different sizes
    return (rows * sizes + offsets).astype(np.float32), actions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    (folder / "rows").mkdir()
    database = {}
    for seed in range(4):
        rows, actions = rows_and_actions(seed)
        np.save(folder / "rows" / f"v{seed}.npy", rows)
        items = [{"label": "x", "segment": list(action)} for action in actions]
        database[f"v{seed}"] = {"duration": len(rows) / 10, "annotations": items}
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    (folder / "config.toml").write_text(TOML)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    return train(load_config(folder / "config.toml"))


@pytest.fixture(scope="module")
def bundle_path(trained: Path, folder: Path) -> Path:
    export_bundle(trained, folder / "rows.cmsn")
    return folder / "rows.cmsn"


@given(
    stride=st.integers(1, 4),
    context=st.integers(0, 3),
    difference=st.booleans(),
    pool=st.sampled_from(["average", "convolution"]),
    steps=st.integers(1, 40),
    chunk=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_pooling_in_chunks_is_pooling_at_once(
    stride: int, context: int, difference: bool, pool: str, steps: int, chunk: int, seed: int
) -> None:
    torch.manual_seed(seed)
    config = parse_config(
        {
            "data": {"videos": ".", "annotations": "."},
            "grid": {"stride": stride},
            "features": {"width": 3, "context": context, "difference": difference, "pool": pool},
            "model": {"lstm_hidden": 4, "evaluator_hidden": 4},
        },
        origin="test",
    )
    model = CMSN(config).eval()
    assert isinstance(model.extractor, FeatureExtractor)
    rows = torch.randn(steps * stride, 3) * 5 + 2
    model.extractor.fit([rows])
    with torch.inference_mode():
        whole = model.extractor.whole(rows[None])[0].numpy()
    backend = TorchBackend(model)
    streamed = StreamingExtractor(
        backend,
        stride=stride,
        delay_steps=context,
        chunk_frames=chunk * stride,
    )
    parts = [on_host(part) for part in extracted(rows.numpy(), streamed, backend)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-5)


def test_every_value_is_normalised_on_the_training_part(trained: Path) -> None:
    model = load_model(trained)[0]
    assert isinstance(model.extractor, FeatureExtractor)
    rows = np.concatenate([rows_and_actions(seed)[0] for seed in range(4)])
    assert np.allclose(model.extractor.mean[:WIDTH], rows.mean(0), rtol=1e-3, atol=1e-3)
    assert np.allclose(model.extractor.deviation[:WIDTH], rows.std(0), rtol=1e-3)


def finals(events: list[StreamEvent]) -> list[tuple[Fraction, Fraction, float]]:
    return [(e.proposal.start, e.proposal.end, e.proposal.score) for e in events if e.kind == "final" and e.proposal]


def test_a_bundle_of_rows_finds_unseen_actions(bundle_path: Path) -> None:
    rows, actions = rows_and_actions(77)
    with open_bundle(bundle_path) as bundle:
        assert bundle.takes_features
        with bundle.feature_stream() as stream:
            events = [e for k, row in enumerate(rows) for e in stream.push(FeatureRow(row, Fraction(k, 10)))]
            found = finals(events + stream.flush())
        with bundle.feature_stream(chunk_rows=32) as stream:
            events = [e for k, row in enumerate(rows) for e in stream.push(FeatureRow(row, Fraction(k, 10)))]
            chunked = finals(events + stream.flush())
    assert [one[:2] for one in chunked] == [one[:2] for one in found]
    best = [
        max(
            max(0.0, min(e, float(end)) - max(s, float(start))) / (max(e, float(end)) - min(s, float(start)))
            for start, end, _ in found
        )
        for s, e in actions
    ]
    assert float(np.mean(best)) > 0.6


def test_the_command_line_takes_rows(bundle_path: Path, folder: Path, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "unseen.txt", rows_and_actions(5)[0])
    arguments = ["run", str(tmp_path / "unseen.txt"), "--bundle", str(bundle_path), "--json", "-"]
    result = CliRunner().invoke(cmsn, arguments)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    assert any(line["kind"] == "final" for line in lines)
    assert CliRunner().invoke(cmsn, ["inspect", str(bundle_path)]).exit_code == 0


def test_an_unusable_feature_file_does_not_stop_the_others(bundle_path: Path, tmp_path: Path) -> None:
    """Each is one line; what was found before a row that is not finite is kept; datasets go by their names."""
    h5py = pytest.importorskip("h5py")
    rows, actions = rows_and_actions(5)
    broken = rows.copy()
    broken[400] = np.nan
    for name, content in (("ct", rows.T), ("broken", broken), ("flat", rows[:, 0]), ("good", rows)):
        np.save(tmp_path / f"{name}.npy", content)
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["v_a/rows"], file["b"] = rows, rows[:300]
    truth = {"database": {"a": {"duration": 60, "annotations": [{"segment": list(action)} for action in actions]}}}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    names = ["ct.npy", "broken.npy", "flat.npy", "all.h5::v_a", "all.h5::b", "all.h5::c", "good.npy"]
    sources = [str(tmp_path / name) for name in names]
    options = ["--bundle", str(bundle_path), "--quiet", "--results", str(tmp_path / "r.json")]
    result = CliRunner().invoke(cmsn, ["run", *sources, *options, "--truth", str(tmp_path / "truth.json")])
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("cmsn: error")]
    assert [any(part in line for line in errors) for part in ("[5, 600]: transposed?", "row 400 (from 0", "[n, 5]")]
    assert len(errors) == 4
    assert "6 of 7 sources are not in" in result.stderr
    found = json.loads((tmp_path / "r.json").read_text())["results"]
    assert {name: bool(proposals) for name, proposals in found.items()} == dict.fromkeys(
        ("broken", "v_a", "b", "good"), True
    )
    assert found["v_a"] == found["good"]


def test_pictures_and_rows_are_not_mixed_up(bundle_path: Path) -> None:
    with open_bundle(bundle_path) as bundle, pytest.raises(SettingsError, match="feature rows"):
        bundle.stream()
    with open_bundle() as bundle, pytest.raises(SettingsError, match="takes pictures"):
        bundle.feature_stream()


@pytest.mark.parametrize("row", [np.zeros(4), np.zeros((1, 5)), np.full(5, np.nan), np.full(5, np.inf)])
def test_wrong_rows_are_refused(bundle_path: Path, row: npt.NDArray[np.float32]) -> None:
    with open_bundle(bundle_path) as bundle, bundle.feature_stream() as stream, pytest.raises(SettingsError, match="5"):
        stream.push(FeatureRow(row, Fraction(0)))


def test_a_gap_in_the_rows_starts_anew(bundle_path: Path) -> None:
    rows, _ = rows_and_actions(78, seconds=30)
    with open_bundle(bundle_path) as bundle, bundle.feature_stream() as stream:
        alone = [e for k, row in enumerate(rows) for e in stream.push(FeatureRow(row, Fraction(k, 10)))]
        alone += stream.flush()
        first = [e for k, row in enumerate(rows) for e in stream.push(FeatureRow(row, Fraction(k, 10)))]
        later = [e for k, row in enumerate(rows) for e in stream.push(FeatureRow(row, 100 + Fraction(k, 10)))]
        events = first + later + stream.flush()
    assert [event.kind for event in events].count("reset") == 1
    shifted = [(start + 100, end + 100, score) for start, end, score in finals(alone)]
    assert finals(events) == finals(alone) + shifted


def test_files_of_every_kind_hold_the_same_rows(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    rows = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    np.savetxt(tmp_path / "a.txt", rows, header="three columns")
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/a"] = rows
    for name in ("a.npy", "a.txt", "a.csv", "a.h5", "a.h5::group/a"):
        assert np.allclose(read_features(tmp_path / name), rows), name
    source = FeatureSource(tmp_path / "a.npy", rate=Fraction(25, 8))
    assert [row.seconds for row in source] == [Fraction(8 * k, 25) for k in range(7)]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["one"], file["two"] = rows, rows[:1]
    with pytest.raises(SourceError, match="one, two"):
        read_features(tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.npy", b"no array"),
        ("x.npy", b""),
        ("x.txt", b"one two\nthree"),
        ("x.txt", b"1 2\n3\n"),
        ("x.txt", b""),
        ("x.mp4", b"video"),
        ("x.h5", b"no HDF5"),
        ("absent.npy", None),
    ],
)
def test_unreadable_feature_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes | None) -> None:
    pytest.importorskip("h5py")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name):
        read_features(tmp_path / name)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match=r"x\.npy"):
        read_features(tmp_path / "x.npy")


def test_stretching_moves_the_segments(folder: Path) -> None:
    inputs = open_inputs(load_config(folder / "config.toml"), {})
    video = inputs.training[0]
    frames, segments = inputs.view(video, np.random.default_rng(3))
    plain_frames, plain = inputs.view(video, None)
    rows, plain_rows = np.array(list(frames)), np.array(list(plain_frames))
    speed = len(plain_rows) / len(rows)
    assert speed != pytest.approx(1, abs=0.02)
    assert np.allclose((segments[:, 1] - segments[:, 0]) * speed, plain[:, 1] - plain[:, 0], rtol=0.02)
    inside = rows[int(segments[1, 0]) * 2 + 2 : int(segments[1, 1]) * 2 - 2, 0]
    assert float(inside.mean()) > 1.5  # the action is where its segment says


def test_windows_of_a_batch_have_one_length(folder: Path) -> None:
    config = load_config(folder / "config.toml")
    corpus = open_inputs(config, {}).training
    windows = FeatureWindows(
        corpus,
        grid=config.time_grid(),
        augmentation=FeatureAugmentation(0.1, 0.2, np.ones(WIDTH, np.float32)),
        seed=1,
        batch=3,
        windows_per_video=2,
    )
    assert len(windows) == 3
    for number in range(12):
        window, again = windows[number], windows[number]
        assert window.frames.shape[1] == window.labels.shape[1] * 2
        assert 12 <= window.labels.shape[1] <= 48
        assert torch.equal(window.frames, again.frames)
    assert [len(windows[number].frames) for number in range(3)] == [3, 3, 2]


def test_stretched_rows_are_interpolated() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None]
    assert np.allclose(played(rows, 2, 4, 1.5)[:, 0], [2, 3.5, 5, 6.5])
    assert np.array_equal(played(rows, 2, 4, 1.0)[:, 0], [2, 3, 4, 5])


def test_shift_moves_all_points_of_a_window_together() -> None:
    deviation = np.array([1, 10, 100, 3, 30, 300], np.float32)  # of two points of three coordinates
    augmentation = FeatureAugmentation(0.0, 0.0, deviation, shift=0.5, coordinates=3)
    rows = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    offsets = np.array([disturbed(rows, augmentation, np.random.default_rng(seed)) - rows for seed in range(400)])
    assert np.abs(offsets - offsets[:, :1]).max() < 1e-3  # of all rows
    assert np.abs(offsets[..., :3] - offsets[..., 3:]).max() < 1e-3  # of all points
    assert np.allclose(offsets[:, 0, :3].std(axis=0), [1, 10, 100], rtol=0.2)
    still = FeatureAugmentation(0.0, 0.0, deviation)
    assert np.array_equal(disturbed(rows, still, np.random.default_rng(0)), rows)


def test_a_learnt_pool_learns_and_goes_into_the_bundle(folder: Path, tmp_path: Path) -> None:
    values = read_toml(folder / "config.toml")
    values["stages"]["epochs"] = 1
    values["features"]["pool"] = "convolution"
    config = resolve_config(values, folder / "config.toml").model_copy(update={"output": tmp_path / "run"})
    path = train(config)
    pl.seed_everything(config.seed, verbose=False)
    fresh, learnt = CMSN(config).extractor, load_model(path)[0].extractor
    assert isinstance(fresh, FeatureExtractor) and isinstance(learnt, FeatureExtractor)
    assert fresh.convolution is not None and learnt.convolution is not None
    assert not torch.equal(fresh.convolution.weight, learnt.convolution.weight)
    export_bundle(path, tmp_path / "bundle.cmsn")  # compares every graph with torch, and refuses what differs
    rows, _ = rows_and_actions(5)
    with open_bundle(tmp_path / "bundle.cmsn") as bundle, bundle.feature_stream() as stream:
        for number, row in enumerate(rows):
            stream.push(FeatureRow(row, Fraction(number, 10)))
        stream.flush()


@pytest.mark.parametrize(
    ("features", "fault"), [({"shift": 0.5}, "set coordinates"), ({"coordinates": 4}, "no multiple of coordinates = 4")]
)
def test_points_that_do_not_fit_are_refused(features: dict[str, float], fault: str) -> None:
    data = {"videos": ".", "annotations": "."}
    with pytest.raises(SettingsError, match=fault):
        parse_config({"data": data, "features": {"width": 6, **features}}, origin="x")


def test_the_evaluator_has_its_own_dropout(folder: Path) -> None:
    model = CMSN(load_config(folder / "config.toml"))
    assert (model.stages.dropout.p, model.evaluator.dropout.p) == (0.1, 0.0)


def test_pictures_and_features_in_one_configuration_are_refused() -> None:
    data = {"videos": ".", "annotations": "."}
    with pytest.raises(SettingsError, match="both"):
        parse_config({"data": data, "features": {"width": 3}, "preprocessing": {"scale": 2.0}}, origin="x")
    with pytest.raises(SettingsError, match="stride"):
        parse_config({"data": data, "grid": {"stride": 4}}, origin="x")
