"""What is wrong with a table is one line before anything is trained; what is finished is kept."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("lightning")

from cmsn_benchmarks.datasets.small_training import write_training
from cmsn_runtime.cli import run_command_line
from cmsn_runtime.stopping import Stopped, stoppable
from cmsn_training.ablation import table as tables
from cmsn_training.ablation.config import load_ablation
from cmsn_training.ablation.table import run_table
from cmsn_training.callbacks import FiniteOnly
from cmsn_training.workers import worker_pool

# Lightning's advice about loggers and workers is no fault of the code.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("stages_that_propose", "signals_as_at_a_terminal"),
]

TABLE = """
title = "small"
base = "config.toml"
an = [1]
measure = "first-n"
seeds = [0, 1]
[[rows]]
name = "whole"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_training(tmp_path)
    (tmp_path / "table.toml").write_text(TABLE)
    return tmp_path


@pytest.fixture
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_trained", lambda config: pytest.fail("trained before the fault was found"))


def ablate(folder: Path, *options: str) -> int:
    arguments = ["ablate", str(folder / "table.toml"), "--runs", str(folder / "runs"), *options]
    return stoppable(lambda: run_command_line(arguments))


@pytest.mark.usefixtures("nothing_is_trained")
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.encode("utf-16"), "is not UTF-8"),
        (TABLE.replace("small", "Überwachung").encode("latin-1"), "is not UTF-8"),
        (TABLE.replace("[0, 1]", "[-1]").encode(), "seeds.0: "),
        (TABLE.replace("[1]", "[0]").encode(), "an.0: "),
        (TABLE.replace("config.toml", "nowhere.toml").encode(), "nowhere.toml: cannot be read"),
        (f'{TABLE}change = {{ "seed.deep" = 1 }}\n'.encode(), "changes seed.deep, but seed is not a section"),
    ],
)
def test_a_table_that_cannot_be_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], table: bytes, message: str
) -> None:
    (folder / "config.toml").write_text("seed = 3\n" + (folder / "config.toml").read_text())
    (folder / "table.toml").write_bytes(table)
    assert ablate(folder) == 1
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("nothing_is_trained")
def test_outputs_that_cannot_be_written_are_named_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ablate(folder, "--json", "/nowhere/out.json") == 1
    assert "/nowhere/out.json: cannot be written" in capsys.readouterr().err
    (folder / "file").write_text("kept")
    assert ablate(folder, "--runs", str(folder / "file")) == 1
    assert "file: cannot be written" in capsys.readouterr().err
    assert (folder / "file").read_text() == "kept"


@pytest.mark.usefixtures("nothing_is_trained")
def test_annotations_that_cannot_be_read_are_named_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "truth.json").write_text("{")
    assert ablate(folder) == 1
    assert "truth.json" in capsys.readouterr().err


def test_a_signal_keeps_what_is_finished(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def send(self: FiniteOnly, *_: object) -> None:
        if list(folder.glob("runs/*/model.safetensors")):  # the second training
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(FiniteOnly, "on_before_backward", send)
        assert ablate(folder) == 143
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("stopped after 1 of 4; the same command continues where it stopped")
    (finished,) = folder.glob("runs/*/model.safetensors")
    written = finished.stat().st_mtime_ns
    assert ablate(folder) == 0
    assert finished.stat().st_mtime_ns == written

    (kept,) = finished.parent.glob("proposals-*.json")
    before = kept.read_bytes()
    kept.write_bytes(before[: len(before) // 2])
    with caplog.at_level(logging.WARNING):
        run_table(load_ablation(folder / "table.toml"), folder / "runs")
    assert "is damaged" in caplog.text
    assert kept.read_bytes() == before


def test_a_pool_does_not_wait_for_its_work_when_it_is_stopped() -> None:
    """Without this the test waits for ten minutes, and for ever for the jobs behind."""
    with pytest.raises(Stopped), worker_pool(1, prepare=os.getpid) as pool:
        for _ in range(3):
            pool.submit(time.sleep, 10_000)
        time.sleep(0.5)
        raise Stopped(signal.SIGTERM)
