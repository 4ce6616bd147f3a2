"""A training that is killed at any moment and resumed ends in the weights of an unbroken one, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning")

from safetensors.torch import load_file

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


# Threads that wait for one another on busy cores would make these seconds minutes.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


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


def start(config: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cmsn_runtime", "train", str(config), "--resume"]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, env=ONE_THREAD
    )


def kill_when(process: subprocess.Popen[bytes], sign: Path, *, after: float) -> bool:
    """SIGKILL a while after a file appeared or changed; false where the training was done before."""
    before = sign.stat().st_mtime_ns if sign.exists() else None
    while process.poll() is None:
        if sign.exists() and sign.stat().st_mtime_ns != before:
            time.sleep(after)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False


def test_a_killed_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    unbroken = start(prepare(tmp_path / "unbroken"))
    _, errors = unbroken.communicate()
    assert unbroken.returncode == 0, errors.decode()

    config = prepare(tmp_path / "killed")
    run = config.parent / "run"
    kills = 0
    # In phase 1, right after a checkpoint and somewhere in the epoch after it; then in phase 2.
    for phase, after in (("stages", 0.0), ("stages", 0.03), ("evaluator", 0.01)):
        process = start(config)
        kills += kill_when(process, run / phase / "last.ckpt", after=after)
        process.communicate()
    assert kills >= 2
    assert not (run / "model.safetensors").exists()
    last = start(config)
    _, errors = last.communicate()
    assert last.returncode == 0, errors.decode()

    expected = load_file(tmp_path / "unbroken" / "run" / "model.safetensors")
    found = load_file(run / "model.safetensors")
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name].numpy(), value.numpy()) for name, value in expected.items())


def test_several_processes_train_one_model(tmp_path: Path) -> None:
    config = prepare(tmp_path)
    text = config.read_text().replace('accelerator = "cpu"', 'accelerator = "cpu"\ndevices = 2')
    config.write_text(text.replace("epochs = 8", "epochs = 2").replace("epochs = 4", "epochs = 1"))
    process = start(config)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    weights = load_file(tmp_path / "run" / "model.safetensors")
    assert all(np.isfinite(value.numpy()).all() for value in weights.values())
