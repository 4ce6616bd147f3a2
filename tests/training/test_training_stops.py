"""A signal ends a training with the status schedulers know, one line, and all whole epochs kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("lightning")

import lightning.pytorch as pl
import torch

from cmsn_benchmarks.datasets.small_training import write_training
from cmsn_runtime.cli import run_command_line
from cmsn_runtime.stopping import Stopped, stoppable
from cmsn_training import training
from cmsn_training.callbacks import EpochCheckpoint, FiniteOnly
from cmsn_training.checkpoint import load_model

# Lightning's advice about loggers and workers is no fault of the code.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("stages_that_propose", "signals_as_at_a_terminal"),
]

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
EPOCHS = ("[stages]\nepochs = 1", "[stages]\nepochs = 4")


def train(config: Path, *options: str) -> int:
    return stoppable(lambda: run_command_line(["train", str(config), *options]))


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error.splitlines()[-1]


@pytest.mark.parametrize("number", list(STATUS), ids=lambda number: number.name)
def test_a_signal_within_a_batch_ends_at_the_last_whole_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """The third of four epochs is not finished; a resumed training ends in the weights of an unbroken one."""
    config = write_training(tmp_path, change=EPOCHS)

    def send(self: FiniteOnly, trainer: pl.Trainer, module: pl.LightningModule, loss: torch.Tensor) -> None:
        if trainer.current_epoch == 2:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(FiniteOnly, "on_before_backward", send)
        assert train(config) == STATUS[number]
    assert last_line(capsys).endswith("stages: stopped after epoch 2; --resume continues")
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert train(config, "--resume") == 0
    assert train(write_training(tmp_path / "unbroken", change=EPOCHS)) == 0
    found, expected = (
        load_model(folder / "run" / "model.safetensors")[0].state_dict() for folder in (tmp_path, tmp_path / "unbroken")
    )
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


def test_a_signal_while_a_checkpoint_is_written_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def send(self: EpochCheckpoint, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: object) -> None:
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(EpochCheckpoint, "on_save_checkpoint", send)
    assert train(write_training(tmp_path, change=EPOCHS)) == 143
    assert last_line(capsys).endswith("stages: stopped after epoch 1; --resume continues")
    assert [path.name for path in (tmp_path / "run" / "stages").iterdir()] == ["last.ckpt"]


def test_a_signal_swallowed_by_a_destructor_still_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Swallows:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(FiniteOnly, "on_before_backward", lambda *_: Swallows() and None)
    assert train(write_training(tmp_path, change=EPOCHS)) == 143
    assert last_line(capsys).endswith("stages: stopped after epoch 0; --resume continues")


@pytest.mark.parametrize(
    ("function", "line"),
    [
        ("open_inputs", "stages: stopped after epoch 0"),
        ("feature_track", "stages: stopped after epoch 1"),
        ("_provenance", "evaluator: stopped after epoch 1"),
    ],
)
def test_a_signal_outside_the_epochs_keeps_finished_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    function: str,
    line: str,
) -> None:
    """While data are read, and while phase 2 takes its features from the finished phase 1."""

    def stopped(*_: object) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(training, function, stopped)
    assert train(write_training(tmp_path)) == 143
    assert last_line(capsys).endswith(f"{line}; --resume continues")
