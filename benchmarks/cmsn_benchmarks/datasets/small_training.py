"""A corpus of feature rows and a configuration that trains in a second, where size does not matter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

CONFIG = """
output = "run"
[data]
videos = "rows"
annotations = "truth.json"
test_videos = "rows"
test_annotations = "truth.json"
[grid]
fps = 5
stride = 1
window = 32
[features]
width = 2
[model]
lstm_hidden = 4
evaluator_hidden = 4
[stages]
epochs = 1
windows_per_video = 2
[evaluator]
epochs = 1
windows_per_view = 1
least = 2
[hardware]
accelerator = "cpu"
"""


def write_training(folder: Path, *, change: tuple[str, str] = ("", ""), videos: int = 2) -> Path:
    """Rows with one plain action each, their annotations and CONFIG -> its path; `change` replaces a part of it."""
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    database = {}
    for name in "abcdefgh"[:videos]:
        rows = rng.normal(0, 0.2, (100, 2)).astype(np.float32)
        rows[40:60, 0] += 3
        np.save(folder / "rows" / f"{name}.npy", rows)
        database[name] = {"annotations": [{"label": "x", "segment": [8.0, 12.0]}]}
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    assert change[0] in CONFIG
    path = folder / "config.toml"
    path.write_text(CONFIG.replace(*change) if change[0] else CONFIG)
    return path
