"""A training that is killed at any moment and resumed ends in the weights of an unbroken one, bit for bit."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning")

from safetensors.torch import load_file

from cmsn_runtime.cli import main

TOML = """
output = "run"
[data]
videos = "rows"
annotations = "annotations.json"
validation_videos = "rows"
validation_annotations = "annotations.json"
[grid]
fps = 5
stride = 1
window = 32
[features]
width = 3
noise = 0.1
stretch = 0.1
dropout = 0.2
[model]
lstm_hidden = 8
evaluator_hidden = 8
[stages]
epochs = 8
learning_rate = 1e-2
schedule = "one-cycle"
windows_per_video = 20
[evaluator]
epochs = 4
windows_per_view = 20
learning_rate = 1e-3
least = 4
[hardware]
accelerator = "cpu"
"""


def prepare(folder: Path) -> Path:
    (folder / "rows").mkdir(parents=True)
    rng = np.random.default_rng(0)
    database = {}
    for name in ("a", "b", "c"):
        rows = rng.normal(0, 0.3, (120, 3)).astype(np.float32)
        rows[40:70, 0] += 2
        np.save(folder / "rows" / f"{name}.npy", rows)
        database[name] = {"annotations": [{"label": "x", "segment": [8.0, 14.0]}]}
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    (folder / "config.toml").write_text(TOML)
    return folder / "config.toml"


def start(config: Path) -> BaseProcess:
    """`cmsn train --resume` in a process of its own.

    Forked from a server that has imported torch and Lightning, which takes longer than these trainings.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cmsn_training.training"])
    process = context.Process(target=main, args=(["train", str(config), "--resume"],))
    process.start()
    return process


def finished(process: BaseProcess) -> bool:
    process.join()
    return process.exitcode == 0


def kill_when(process: BaseProcess, sign: Path, *, after: float) -> bool:
    """Kill it a while after a file appeared or changed; false where the training was done before."""
    before = sign.stat().st_mtime_ns if sign.exists() else None
    while process.is_alive():
        if sign.exists() and sign.stat().st_mtime_ns != before:
            time.sleep(after)
            process.kill()
            process.join()
            return True
        time.sleep(0.002)
    return False


def test_a_killed_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    assert finished(start(prepare(tmp_path / "unbroken")))

    config = prepare(tmp_path / "killed")
    run = config.parent / "run"
    kills = 0
    # In phase 1, right after a checkpoint and somewhere in the epoch after it; then in phase 2.
    for phase, after in (("stages", 0.0), ("stages", 0.03), ("evaluator", 0.01)):
        process = start(config)
        kills += kill_when(process, run / phase / "last.ckpt", after=after)
        process.join()
    assert kills >= 2
    assert not (run / "model.safetensors").exists()
    assert finished(start(config))

    expected = load_file(tmp_path / "unbroken" / "run" / "model.safetensors")
    found = load_file(run / "model.safetensors")
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name].numpy(), value.numpy()) for name, value in expected.items())


def test_several_processes_train_one_model(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    text = config.read_text().replace('accelerator = "cpu"', 'accelerator = "cpu"\ndevices = 2')
    config.write_text(text.replace("epochs = 8", "epochs = 2").replace("epochs = 4", "epochs = 1"))
    command = [sys.executable, "-m", "cmsn_runtime", "train", str(config), "--resume"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    weights = load_file(tmp_path / "run" / "model.safetensors")
    assert all(np.isfinite(value.numpy()).all() for value in weights.values())
