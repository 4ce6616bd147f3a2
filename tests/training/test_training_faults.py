"""What is wrong with a training is one line that names it, before any work is done where it can be known by then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("lightning")

import torch
from full_disk import disk_of

from cmsn_benchmarks.datasets.small_training import write_training
from cmsn_runtime.errors import BackendError, OutputError, SettingsError
from cmsn_training import training
from cmsn_training.callbacks import FiniteOnly
from cmsn_training.checkpoint import load_model
from cmsn_training.config import TrainingConfig, load_config
from cmsn_training.config_sections import HardwareConfig
from cmsn_training.devices import require_device
from cmsn_training.training import train

# Lightning's advice about loggers and workers is no fault of the code.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("stages_that_propose")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, stages_that_propose: None) -> Path:
    """The folder of a finished training."""
    folder = tmp_path_factory.mktemp("finished")
    train(load_config(write_training(folder)))
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    return load_config(write_training(tmp_path))


@pytest.fixture
def no_data_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(config: TrainingConfig) -> None:
        pytest.fail("the data were read before the fault was found")

    monkeypatch.setattr(training, "open_inputs", read)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_configuration_is_utf8_with_or_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = write_training(tmp_path)
    path.write_text('name = "Überwachung"\n' + path.read_text(), encoding=encoding)
    assert load_config(path).name == "Überwachung"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "latin-1", "cp1252"])
def test_a_configuration_of_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    path = write_training(tmp_path)
    path.write_text('name = "Überwachung"\n' + path.read_text(), encoding=encoding)
    with pytest.raises(SettingsError, match=r"config\.toml: (is not UTF-8.*save it as UTF-8|not valid TOML)"):
        load_config(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seed = -1", "seed: .*greater than or equal to 0"),
        ("seed = 4294967296", "seed: .*less than or equal to 4294967295"),
        ('output = "a\\u0000b"', "output: .*zero byte"),
        ("output = 3", "output: .*path"),
        ("seed = " + "9" * 5000, "not valid TOML"),
        ("deep = " + "[" * 5000 + "]" * 5000, r"not valid TOML|deep: Extra"),
        ("stages.learning_rate = inf", r"stages\.learning_rate: .*finite"),
        ("proposals.sigma = nan", r"proposals\.sigma: .*finite"),
        ("proposals.min_score = 2", "proposals: .*min_score is 2.0; it must be from 0 to 1"),
        ("proposals.roi_bins = 4", r"proposals: roi_bins belongs to the PES; set it in \[model\]"),
        ("tracking.settle_steps = 0", "tracking: .*at least 1"),
        ('stages.frozen = ["conv1a"]', r"\[features\] and stages\.frozen"),
        ('stages.frozen = ["conv9z"]', r"stages\.frozen: C3D has no layer conv9z; it has conv1a"),
        ('grid.fps = "1/0"', r"grid\.fps"),
        ("grid.fps = 0", "0 fps"),
    ],
)
def test_an_impossible_value_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'{line}\ndata = {{ videos = "rows", annotations = "truth.json" }}\nfeatures = {{ width = 2 }}\n')
    with pytest.raises(SettingsError, match=message):
        load_config(path)


@pytest.mark.usefixtures("no_data_is_read")
def test_gpus_that_are_not_there_are_named_before_the_data_are_read(
    config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=r'accelerator is "gpu", but PyTorch .* finds no GPU; set it to "auto"'):
        train(config.model_copy(update={"hardware": HardwareConfig(accelerator="gpu")}))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingsError, match=r"hardware\.devices is 3, but there are 2 GPUs here"):
        train(config.model_copy(update={"hardware": HardwareConfig(accelerator="gpu", devices=3)}))
    require_device(HardwareConfig(accelerator="gpu", devices=2))
    require_device(HardwareConfig(accelerator="cpu", devices=3))


@pytest.mark.usefixtures("no_data_is_read")
@pytest.mark.parametrize("output", ["file", "file/run", "/proc/nowhere/run", "n" * 300])
def test_an_output_that_cannot_be_written_is_named_before_the_data_are_read(
    config: TrainingConfig, tmp_path: Path, output: str
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises((SettingsError, OutputError), match=r"is a file|cannot be written"):
        train(config.model_copy(update={"output": tmp_path / output}))
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.usefixtures("no_data_is_read")
@pytest.mark.parametrize("phase", ["stages", "evaluator"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: b"", id="empty"),
        pytest.param(lambda raw: raw[:1000], id="first kilobyte"),
        pytest.param(lambda raw: raw[:-100], id="end is gone"),
        pytest.param(lambda raw: bytes(len(raw)), id="zeros"),
        pytest.param(lambda raw: b"not a checkpoint", id="text"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_left_alone(
    folder: Path, phase: str, damage: Callable[[bytes], bytes]
) -> None:
    path = folder / "run" / phase / "last.ckpt"
    path.write_bytes(damage(path.read_bytes()))
    left = path.read_bytes()
    with pytest.raises(SettingsError, match=rf"{phase}/last\.ckpt: is damaged .*delete it, and --resume"):
        train(load_config(folder / "config.toml"), resume=True)
    assert path.read_bytes() == left


def test_without_its_damaged_checkpoint_a_phase_ends_in_the_same_weights(folder: Path) -> None:
    model = folder / "run" / "model.safetensors"
    before = load_model(model)[0].state_dict()
    model.unlink()
    (folder / "run" / "stages" / "last.ckpt").unlink()
    (folder / "run" / "evaluator" / "metrics.json").write_text("{")  # of figures alone, which a model can do without
    after = load_model(train(load_config(folder / "config.toml"), resume=True))[0].state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.usefixtures("no_data_is_read")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("lstm_hidden = 4", "lstm_hidden = 6"), r"model\.lstm_hidden: 4, now 6"),
        (("[model]", "[loss]\nm = 0.2\n[model]"), r"loss\.m: null, now 0\.2"),
        (("[data]", "seed = 1\n[data]"), r"seed: 0, now 1"),
        (("window = 32", "window = 16"), r"grid\.window: 32, now 16"),
        (("[data]", "[data]\nsubset = 'training'"), r"data\.subset: null, now \"training\""),
        (("windows_per_view = 1", "windows_per_view = 2"), r"evaluator/last.*evaluator\.windows_per_view: 1, now 2"),
        (("[stages]\nepochs = 1", "[stages]\nepochs = 2"), r"evaluator/last\.ckpt.*stages\.epochs: 1, now 2"),
    ],
)
def test_another_configuration_is_not_resumed(folder: Path, change: tuple[str, str], message: str) -> None:
    config = load_config(write_training(folder, change=change))
    with pytest.raises(SettingsError, match=rf"started with another configuration \(.*{message}|{message}"):
        train(config, resume=True)


def test_settings_that_decide_no_weights_may_change_on_resuming(folder: Path) -> None:
    change = ("[data]", 'name = "renamed"\n[proposals]\nmin_score = 0.2\n[tracking]\nsettle_steps = 3\n[data]')
    model, config, _ = load_model(train(load_config(write_training(folder, change=change)), resume=True))
    assert (config.name, config.proposals.min_score, config.tracking.settle_steps) == ("renamed", 0.2, 3)
    more = load_config(write_training(folder, change=("[evaluator]\nepochs = 1", "[evaluator]\nepochs = 3")))
    longer = load_model(train(more, resume=True))[0]
    stages, evaluators = ([part.state_dict() for part in (one.stages, one.evaluator)] for one in (model, longer))
    assert all(torch.equal(value, evaluators[0][name]) for name, value in stages[0].items())
    assert not all(torch.equal(value, evaluators[1][name]) for name, value in stages[1].items())


def test_other_data_are_not_resumed(folder: Path) -> None:
    config = load_config(write_training(folder, videos=3))
    with pytest.raises(SettingsError, match=r"written with 4 items per epoch, the data now give 6"):
        train(config, resume=True)


def test_a_full_disk_is_named_and_the_last_whole_epoch_kept(folder: Path) -> None:
    more = load_config(write_training(folder, change=("[evaluator]\nepochs = 1", "[evaluator]\nepochs = 3")))
    path = folder / "run" / "evaluator" / "last.ckpt"
    before = path.read_bytes()
    with disk_of(4096), pytest.raises(OutputError, match=r"cannot be written \(File too large\)"):
        train(more, resume=True)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["last.ckpt", "metrics.json"]
    train(more, resume=True)


def test_a_disk_that_fills_at_the_very_end_keeps_the_previous_model(folder: Path) -> None:
    model = folder / "run" / "model.safetensors"
    before = model.read_bytes()
    with disk_of(1024), pytest.raises(OutputError, match=r"model\.safetensors: cannot be written"):
        train(load_config(folder / "config.toml"), resume=True)
    assert model.read_bytes() == before


def test_a_loss_that_is_not_finite_names_its_epoch_and_batch(tmp_path: Path) -> None:
    change = ("[stages]\nepochs = 1", "[stages]\nlearning_rate = 1e30\nepochs = 3")
    with pytest.raises(SettingsError, match=r"stages: the loss is (nan|inf) in epoch \d, batch \d; lower stages\."):
        train(load_config(write_training(tmp_path, change=change)))
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_weights_that_are_not_finite_are_not_kept(
    finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last step of an epoch may break them: its own loss was sound."""
    config = load_config(finished / "config.toml").model_copy(update={"output": tmp_path / "run"})

    def broken(self: FiniteOnly, trainer: object, module: torch.nn.Module, *rest: object) -> None:
        next(module.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(FiniteOnly, "on_train_batch_end", broken, raising=False)
    monkeypatch.setattr(FiniteOnly, "on_before_backward", lambda *_: None)
    with pytest.raises(SettingsError, match=r"holds values that are not finite in epoch 1 \(after its last batch\)"):
        train(config)
    assert not list(tmp_path.rglob("last.ckpt"))


def test_too_little_memory_is_named(config: TrainingConfig) -> None:
    huge = config.model_copy(update={"model": config.model.model_copy(update={"lstm_hidden": 10_000_000})})
    with pytest.raises(BackendError, match=r"out of memory .*take a smaller model"):
        train(huge)


def test_too_few_items_for_several_processes_are_not_trained_on(tmp_path: Path) -> None:
    """Each process would get none of them, and an untrained model would be written."""
    change = ("windows_per_video = 2", "windows_per_video = 1")
    config = load_config(write_training(tmp_path, change=change, videos=1))
    with pytest.raises(SettingsError, match=r"\[stages\]: 1 items per epoch are too few for 2 processes"):
        train(config.model_copy(update={"hardware": HardwareConfig(accelerator="cpu", devices=2)}))


def test_videos_shorter_than_a_step_are_nothing_to_learn_from(tmp_path: Path) -> None:
    config = load_config(write_training(tmp_path, change=("stride = 1", "stride = 101")))
    with pytest.raises(SettingsError, match=r"no training video is as long as one step \(20\.2 s\)"):
        train(config)


class _Code:
    """Unpickled without care, this makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.target,)


def test_a_checkpoint_runs_no_code(folder: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "epoch": _Code(tmp_path / "ran")}, folder / "run" / "stages" / "last.ckpt")
    with pytest.raises(SettingsError, match="is damaged"):
        train(load_config(folder / "config.toml"), resume=True)
    assert not (tmp_path / "ran").exists()
