"""From rendered streams through both phases to a model file, in miniature."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("lightning")

import torch

from cmsn_runtime.errors import SettingsError
from cmsn_training.checkpoint import load_model
from cmsn_training.config import TrainingConfig, load_config, parse_config
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.convolution import convolutions
from cmsn_training.phases.stage_phase import StagePhase
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams
from cmsn_training.training import train

# Lightning's advice about loggers and workers is no fault of the code.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("stages_that_propose")]

TOML = """
output = "run"
seed = 5
[data]
videos = "streams"
annotations = "streams/annotations.json"
validation_videos = "streams"
validation_annotations = "streams/annotations.json"
[model]
width = 0.03125
lstm_hidden = 8
evaluator_hidden = 8
[preprocessing]
resize = [32, 40]
crop = [32, 32]
mean = [128.0, 128.0, 128.0]
scale = 0.015625
[stages]
epochs = 2
learning_rate = 1e-3
schedule = "one-cycle"
windows_per_video = 2
frozen = ["conv1a"]
norm_epochs = 1
[evaluator]
epochs = 1
windows_per_view = 1
least = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    render_streams(folder / "streams", RenderSettings(width=64, height=48, seconds=20, seed=3), streams=2)
    (folder / "config.toml").write_text(TOML)
    return folder


@pytest.fixture(scope="module")
def config(folder: Path) -> TrainingConfig:
    return load_config(folder / "config.toml")


@pytest.fixture(scope="module")
def trained(config: TrainingConfig, stages_that_propose: None) -> Path:
    return train(config)


def test_both_phases_leave_one_model_with_its_provenance(trained: Path, config: TrainingConfig) -> None:
    model, read, provenance = load_model(trained)
    assert read == config
    assert not model.training
    assert provenance["training"]["videos"] == 2
    assert provenance["training"]["seconds"] == pytest.approx(40.0)
    assert provenance["metrics"]["stages/loss"] > 0
    assert 0 < provenance["pictures"]["light"][0] < 255 and provenance["pictures"]["motion"][0] > 0
    assert any("evaluator" in key for key in provenance["metrics"])


def test_phase_two_does_not_change_what_phase_one_learnt(trained: Path, config: TrainingConfig) -> None:
    """Extractor and ASS of the final model are those at the end of phase 1, with the normalisation folded in."""
    model = CMSN(config)
    phase = StagePhase(model, config)
    phase.load_state_dict(torch.load(config.output / "stages" / "last.ckpt", weights_only=False)["state_dict"])
    for convolution in convolutions(model):
        convolution.fold_norm()
    expected = model.state_dict()
    for name, value in load_model(trained)[0].state_dict().items():
        assert torch.equal(value, expected[name]) != name.startswith("evaluator."), name


def test_a_finished_training_is_not_overwritten(trained: Path, config: TrainingConfig) -> None:
    with pytest.raises(SettingsError, match="--resume"):
        train(config)
    before = load_model(trained)[0].state_dict()
    after = load_model(train(config, resume=True))[0].state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_same_seed_gives_the_same_weights(trained: Path, config: TrainingConfig, tmp_path: Path) -> None:
    again = train(config.model_copy(update={"output": tmp_path}))
    one, other = (load_model(path)[0].state_dict() for path in (trained, again))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_wrong_fields_of_a_configuration_are_named() -> None:
    with pytest.raises(SettingsError, match=r"model\.width: .*; modle: Extra inputs"):
        parse_config(
            {"data": {"videos": "a", "annotations": "b"}, "model": {"width": -1}, "modle": {}}, origin="x.toml"
        )


def test_missing_videos_are_named(config: TrainingConfig, tmp_path: Path) -> None:
    data = config.data.model_copy(update={"videos": tmp_path, "validation_videos": None})
    with pytest.raises(SettingsError, match="render-3-0000"):
        train(config.model_copy(update={"data": data, "output": tmp_path / "run"}))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(SettingsError, match="not a model"):
        load_model(path)
