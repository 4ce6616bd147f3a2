"""AR@AN of TAG's published list, against what the public evaluators say of it."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from cmsn_training.evaluation import ACTIVITYNET, THUMOS, Protocol, Spans, recall_curve
from cmsn_training.evaluation.protocols import thresholds

TEN, ELEVEN = thresholds(0.5, 0.95), thresholds(0.5, 1.0)
PROTOCOLS = {
    "DAPs/TURN (11 thr, +1 px, 100 pts)": THUMOS,
    "DAPs/TURN 10 thr .5:.95": Protocol("turn-10", TEN, inclusive=True, counts_empty=True),
    "RTD (11 thr,+1 px,200 pts, extrapolate)": Protocol("rtd", ELEVEN, points=200, inclusive=True, counts_empty=True),
    "ANET full .5:.95": Protocol("full", TEN),
    "ANET max100 .5:.95": ACTIVITYNET,
    "OpenTAD max100 .5:.95": ACTIVITYNET,
    "mmaction2 max100 .5:.95": ACTIVITYNET,
    "ANET full .5:1.0": Protocol("full-11", ELEVEN),
    "ANET max100 .5:1.0": Protocol("max100-11", ELEVEN, max_average=100),
    "OpenTAD max100 .5:1.0": Protocol("max100-11", ELEVEN, max_average=100),
    "mmaction2 max100 .5:1.0": Protocol("max100-11", ELEVEN, max_average=100),
}


@pytest.fixture(scope="module")
def proposals(shared: Path) -> dict[str, Spans]:
    lists: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in (shared / "data/published/tag_proposals_round6.txt").read_text().splitlines():
        name, start, end = line.split()
        lists[name].append((float(start), float(end)))
    return {name: np.array(spans) for name, spans in lists.items()}


def truth_of(shared: Path, *, ambiguous: bool) -> dict[str, Spans]:
    found: dict[str, list[tuple[float, float]]] = {}
    with (shared / "data/thumos14/thumos14_test_groundtruth.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            segments = found.setdefault(row["video-name"], [])
            if ambiguous or row["label-idx"] != "-1":
                segments.append((float(row["f-init"]), float(row["f-end"])))
    return {name: np.array(segments).reshape(-1, 2) for name, segments in found.items()}


@pytest.mark.parametrize(("part", "ambiguous"), [("all3457", True), ("noamb3358", False)])
def test_figures_equal_those_of_five_public_evaluators(
    shared: Path, proposals: dict[str, Spans], part: str, ambiguous: bool
) -> None:
    golden = json.loads((shared / "data/published/golden_ar.json").read_text())
    expected = golden[f"CTAP_TAG_list(rank=file order)|{part}"]
    truth = truth_of(shared, ambiguous=ambiguous)
    assert sum(len(segments) for segments in truth.values()) == int(part[-4:])
    assert set(PROTOCOLS) == set(expected)
    for name, protocol in PROTOCOLS.items():
        curve = recall_curve(proposals, truth, protocol)
        figures = [value for value in expected[name] if isinstance(value, float)]
        for number, value in zip((50, 100, 200), figures, strict=False):
            assert curve.average_recall_at(number) == pytest.approx(value, abs=0.05), (name, number)
        for text in expected[name][len(figures) :]:
            if text.startswith("AUC"):
                assert curve.area == pytest.approx(float(text.split()[1]), abs=0.05), name
            else:
                assert curve.numbers[-1] == pytest.approx(float(text.split("=")[1])), name
