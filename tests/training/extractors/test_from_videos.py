"""From videos and frozen networks to a bundle: cached rows, training, export, and `cmsn run`'s pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning")

import torch
from click.testing import CliRunner
from small_networks import Frames, write_network

from cmsn_export.bundling import export_bundle
from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.collecting import collect
from cmsn_runtime.commands.inspect import inspect
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.sources.opening import open_source
from cmsn_training.ablation.cell import propose_all
from cmsn_training.checkpoint import load_model
from cmsn_training.config import load_config
from cmsn_training.data.opening import open_inputs
from cmsn_training.data.rows_of_videos import rows_of_videos
from cmsn_training.extractors.components import principal_components
from cmsn_training.extractors.frozen import FrozenExtractor
from cmsn_training.extractors.preparing import on_rows, with_networks
from cmsn_training.models.cmsn import CMSN
from cmsn_training.predicting import predict
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams
from cmsn_training.training import train

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("stages_that_propose")]

TOML = """
output = "run"
[data]
videos = "streams"
annotations = "streams/annotations.json"
validation_videos = "streams"
validation_annotations = "streams/annotations.json"
[grid]
window = 16
[preprocessing]
resize = [24, 40]
[extractor]
crops = "mirrored"
components = 6
[extractor.networks.rgb]
file = "rgb.onnx"
mean = 120
scale = 0.02
licence = "MIT"
[extractor.networks.flow]
file = "flow.onnx"
input = "flow"
frames = 5
mean = 128
scale = 0.05
[extractor.rows]
context = 1
noise = 0.1
[model]
lstm_hidden = 8
evaluator_hidden = 8
[stages]
epochs = 2
batch = 2
windows_per_video = 2
[evaluator]
epochs = 1
windows_per_view = 1
least = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rendered streams, two networks and the configuration."""
    folder = tmp_path_factory.mktemp("networks")
    render_streams(folder / "streams", RenderSettings(width=64, height=48, seconds=12, seed=3), streams=2)
    write_network(folder / "rgb.onnx", Frames(3), (3, 16, 24))
    write_network(folder / "flow.onnx", Frames(10), (10, 16, 24), seed=1)
    (folder / "config.toml").write_text(TOML)
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path, stages_that_propose: None) -> Path:
    """Trained and exported."""
    export_bundle(train(load_config(folder / "config.toml")), folder / "mine.cmsn")
    return folder / "mine.cmsn"


def test_cached_rows_are_those_of_the_networks_over_the_whole_video(folder: Path) -> None:
    config, networks = with_networks(load_config(folder / "config.toml"))
    learnt, watched = rows_of_videos(config, networks)
    assert [len(videos) for videos in (learnt, watched)] == [4, 2], "two views of each video are learnt from"
    whole = [video.frames for video in watched]
    assert all(rows.shape == (38, 12) for rows in whole), "a step of 8 frames each, six values per network"
    np.testing.assert_array_equal(whole[0], learnt[0].frames)
    assert np.abs(learnt[2].frames - learnt[0].frames).max() > 0.01, "mirrored pictures give other rows"


def test_rows_are_computed_once_and_anew_where_a_setting_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, networks = with_networks(load_config(folder / "config.toml"))
    open_inputs(config, networks)
    monkeypatch.setattr("cmsn_training.data.rows_cache.decoded_frames", None)
    open_inputs(config, networks)
    monkeypatch.undo()
    cached = set(config.data.cache.glob("*.npy"))
    write_network(folder / "other.onnx", Frames(3), (3, 16, 24), seed=5)
    (folder / "other.toml").write_text(TOML.replace("rgb.onnx", "other.onnx"))
    open_inputs(*with_networks(load_config(folder / "other.toml")))
    assert len(set(config.data.cache.glob("*.npy")) - cached) == 4, (
        "two videos in two views, of the other network alone"
    )


def test_the_bundle_sees_in_a_video_the_stages_that_torch_sees(bundle: Path, folder: Path) -> None:
    model, config, _ = load_model(folder / "run/model.safetensors")
    assert isinstance(model.extractor, FrozenExtractor)
    (video, *_) = sorted((folder / "streams").glob("*.mp4"))
    with open_bundle(bundle, backend="onnxruntime") as opened, open_source(video) as source:
        found = collect(opened.stream, source, steps=True)
    expected = predict(model, config, video)
    assert len(found.steps) == len(expected.steps) == 38
    for one, other in zip(found.steps, expected.steps, strict=True):
        assert one.seconds == other.seconds
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_tables_evaluate_it_on_pictures_of_the_networks_size(bundle: Path, folder: Path) -> None:
    given = load_config(folder / "config.toml")  # as a table has it: without what the networks' files say
    data = given.data.model_copy(update={"test_videos": given.data.videos, "test_annotations": given.data.annotations})
    found = propose_all(given.model_copy(update={"data": data}), method="cmsn", hop_steps=1)
    assert len(found) == 2


def test_the_model_is_complete_without_the_networks_files(bundle: Path, folder: Path) -> None:
    before = {path: path.read_bytes() for path in (folder / "rgb.onnx", folder / "flow.onnx")}
    for path in before:
        path.unlink()
    try:
        model, _, _ = load_model(folder / "run/model.safetensors")
        with torch.inference_mode():
            frames = torch.zeros(1, 16, 16, 24, 5, dtype=torch.uint8)
            assert model.extractor.whole(frames).shape == (1, 2, 6)
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def test_the_manifest_names_the_networks_and_no_place_of_this_machine(bundle: Path, folder: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    training = json.loads(text)["training"]
    assert training["networks"]["rgb"]["licence"] == "MIT"
    assert training["networks"]["flow"] == {**training["networks"]["flow"], "file": "flow.onnx", "licence": "not given"}
    assert training["training"]["seconds"] == pytest.approx(2 * 2 * 12, abs=1)
    assert str(folder) not in text
    shown = CliRunner().invoke(inspect, [str(bundle)]).output
    assert "optical flow, method dis, bound 20.0, warped False" in " ".join(shown.split())


def test_training_sees_components_of_the_rows_as_the_deployed_network_computes_them(folder: Path) -> None:
    config, networks = with_networks(load_config(folder / "config.toml"))
    inputs = open_inputs(config, networks)
    rows, _ = rows_of_videos(config, networks)
    seen = np.concatenate([video.frames for video in inputs.training]).astype(np.float64)
    assert seen.shape[1] == 6
    np.testing.assert_allclose(np.cov(seen.T, bias=True), np.eye(6), atol=1e-3)
    whole = inputs.deployed(CMSN(on_rows(config)))
    assert isinstance(whole.extractor, FrozenExtractor)
    assert whole.extractor.projection is not None
    with torch.inference_mode():
        found = whole.extractor.projection(torch.from_numpy(rows[0].frames)).numpy()
    np.testing.assert_allclose(found, inputs.training[0].frames, atol=1e-4)


def test_more_components_than_there_are_are_refused(folder: Path) -> None:
    (folder / "many.toml").write_text(TOML.replace("components = 6", "components = 13"))
    with pytest.raises(SettingsError, match=r"extractor\.components is 13; the networks give 12 values"):
        with_networks(load_config(folder / "many.toml"))
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 5))
    with pytest.raises(SettingsError, match=r"is 3; the rows vary in 2 directions"):
        principal_components([flat.astype(np.float32)], 3)


def test_segments_are_in_steps_of_the_grid(folder: Path) -> None:
    config, networks = with_networks(load_config(folder / "config.toml"))
    inputs = open_inputs(config, networks)
    truth = read_annotations(folder / "streams/annotations.json")
    video = inputs.training[0]
    expected = [(one.start, one.end) for one in truth[video.name].annotations]
    np.testing.assert_allclose(video.segments, np.array(expected), atol=1e-3)
    np.testing.assert_allclose(inputs.view(video, None).segments, np.array(expected) * 25 / 8, atol=1e-2)
