"""Pictures of curves: names of files are names, whatever they look like to matplotlib."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import numpy as np
import pytest

from cmsn_training.evaluation.pictures import draw_average_recall, draw_recall
from cmsn_training.evaluation.protocols import THUMOS, recall_curve

matplotlib = pytest.importorskip("matplotlib")

NAMES = ["plain", "a$\\frac{$", "$x$", "_hidden", "a\x1b[2J"]


@pytest.mark.parametrize("kind", ["AR-AN", "recall"])
def test_every_name_is_in_the_legend_as_it_is(tmp_path: Path, kind: str) -> None:
    spans = {"v": np.array([[1.0, 2.0]])}
    curves = dict.fromkeys(NAMES, recall_curve(spans, spans, THUMOS))
    path = tmp_path / "curves.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        if kind == "AR-AN":
            draw_average_recall(curves, path)
        else:
            draw_recall(curves, path, number=1.0)
    shown = unescape(path.read_text(encoding="utf-8"))
    for name in ("plain", "a$\\frac{$", "$x$", "_hidden", r"a\x1b[2J"):
        assert f">{name}" in shown
