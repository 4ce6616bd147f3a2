"""mAP: a case by hand, and S-CNN's published windows with the figures its authors give."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from cmsn_runtime.annotations import Annotation, VideoAnnotations
from cmsn_runtime.errors import SettingsError
from cmsn_training.evaluation.detection import Detections, average_precision, mean_average_precision
from cmsn_training.evaluation.tiou import Spans, tiou_matrix


def detections(*rows: tuple[float, float, float]) -> Detections:
    table = np.array(rows).reshape(-1, 3)
    return Detections(table[:, :2], table[:, 2])


def test_average_precision_by_hand() -> None:
    truth = {
        "a": VideoAnnotations(None, (Annotation(0, 10, "x"), Annotation(20, 30, "x"), Annotation(50, 60, "Ambiguous"))),
        "b": VideoAnnotations(None, (Annotation(0, 4, "x"),)),
    }
    found = {
        "a": detections((0, 9, 0.9), (0, 10, 0.5), (55, 58, 0.8), (70, 80, 0.7), (21, 30, 0.4)),
        "b": detections((100, 101, 0.1)),
    }
    # By score: 0.9 wrong (the segment prefers 0.5, which overlaps it more), [0.8 touches Ambiguous], 0.7 wrong, 0.5 and
    # 0.4 right, 0.1 wrong: precisions 1/3 and 2/4, three true segments.
    assert average_precision(found, truth, "x", threshold=0.5) == pytest.approx((1 / 3 + 1 / 2) / 3)
    assert mean_average_precision({"x": found}, truth, thresholds=[0.95])[0.95] == pytest.approx(1 / 3 / 3)
    assert mean_average_precision({}, truth, thresholds=[0.5]) == {0.5: 0.0}
    with pytest.raises(SettingsError, match="no true segment of y"):
        average_precision(found, truth, "y", threshold=0.5)


def in_file_order(folder: Path) -> dict[str, VideoAnnotations]:
    """The official files are not all in order of time, and whose turn it is to take a detection decides some ties."""
    found: defaultdict[str, list[Annotation]] = defaultdict(list)
    for path in sorted(folder.glob("*_test.txt")):
        for line in path.read_text().splitlines():
            name, start, end = line.split()
            found[name].append(Annotation(float(start), float(end), path.name.removesuffix("_test.txt")))
    return {name: VideoAnnotations(None, tuple(segments)) for name, segments in found.items()}


def as_written(values: Spans, form: str) -> Spans:
    """The numbers as MATLAB wrote them into the file that was judged."""
    return np.array([float(format(value, form)) for value in values.ravel().tolist()]).reshape(values.shape)


def greedy(overlaps: Spans, scores: Spans, limit: float) -> list[int]:
    """Their suppression: of equal scores the last comes first; what overlaps by more than the limit goes."""
    left = np.argsort(scores, kind="stable")[::-1]
    kept: list[int] = []
    while len(left):
        kept.append(int(left[0]))
        left = left[1:][overlaps[left[0], left[1:]] <= limit]
    return kept


# Their test folders, and the thresholds of their script for each.
@pytest.mark.parametrize(
    ("part", "thresholds"), [("THUMOS14", (0.1, 0.2, 0.3, 0.4, 0.5)), ("THUMOS14_Res3D", (0.3, 0.4, 0.5, 0.6, 0.7))]
)
def test_the_published_figures_of_scnn(shared: Path, part: str, thresholds: tuple[float, ...]) -> None:
    loadmat = pytest.importorskip("scipy.io").loadmat
    folder = shared / "data/published/scnn_raw_windows" / part
    published = loadmat(folder / "eval/res_scnn_thumos14.mat")["mAP"][0].tolist()
    windows = loadmat(folder / "network_localization/result/res_seg_swin.mat")["seg_swin"]
    weights = loadmat(folder / "window_weight/weight.mat")["weight"]
    names = (folder / "annotation/annotation_test/detclasslist.txt").read_text().split()[1::2]
    truth = in_file_order(folder / "annotation/annotation_test")
    windows = windows[windows[:, 10] != 0]
    classes = windows[:, 10].astype(int)
    # The network's confidence, weighted by how common the window's length is in the class.
    scores = windows[:, 8] * weights[np.log2(windows[:, 1] / 16).astype(int), classes - 1]
    groups = [np.flatnonzero(key == windows[:, 0] * 100 + classes) for key in np.unique(windows[:, 0] * 100 + classes)]
    overlaps = [tiou_matrix(windows[mine, 4:6], windows[mine, 4:6]) for mine in groups]
    for threshold, expected in zip(thresholds, published, strict=True):
        kept: defaultdict[str, dict[str, Detections]] = defaultdict(dict)
        for mine, overlap in zip(groups, overlaps, strict=True):
            order = mine[greedy(overlap, scores[mine], threshold - 0.1)]
            kept[names[classes[order[0]] - 1]][f"video_test_{int(windows[order[0], 0]):07d}"] = Detections(
                as_written(windows[order, 4:6], ".1f"), as_written(scores[order], ".5g")
            )
        found = mean_average_precision(kept, truth, thresholds=[threshold])[threshold]
        assert found == pytest.approx(expected, abs=1e-5), threshold
