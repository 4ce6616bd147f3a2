"""ActivityNet's ground truth: what is read, and what is refused with which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cmsn_runtime.annotations import Annotation, read_annotations
from cmsn_runtime.errors import AnnotationError


def write(folder: Path, content: Any) -> Path:
    path = folder / "truth.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_annotations_come_in_order_of_time(tmp_path: Path) -> None:
    entries = [{"segment": [5, 6.5], "label": "b"}, {"segment": [1, 2], "label": "a"}]
    path = write(tmp_path, {"database": {"v": {"duration": 10, "annotations": entries}, "w": {}}})
    truth = read_annotations(path)
    assert truth["v"].duration == 10.0
    assert truth["v"].annotations == (Annotation(1.0, 2.0, "a"), Annotation(5.0, 6.5, "b"))
    assert truth["w"].annotations == ()


def test_subsets_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, {"version": "1.3", "database": {"v": {"subset": "training", "url": "gone"}, "w": {}}})
    truth = read_annotations(path)
    assert truth["v"].subset == "training"
    assert truth["w"].subset is None


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"database": {"Köln": {}}}, ensure_ascii=False), encoding="utf-8-sig")
    assert set(read_annotations(path)) == {"Köln"}


def test_tiou_by_hand() -> None:
    assert Annotation(0.0, 10.0, "").tiou(5.0, 15.0) == pytest.approx(1 / 3)
    assert Annotation(0.0, 10.0, "").tiou(20.0, 30.0) == 0.0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nothing", "cannot be read as JSON"),
        ([1], 'no "database"'),
        ({"database": {"v": []}}, "v: needs an object"),
        ({"database": {"v": {"duration": "long"}}}, "duration 'long'"),
        ({"database": {"v": {"duration": float("nan")}}}, "duration nan"),
        ({"database": {"v": {"subset": 3}}}, "v: its subset is 3"),
        ({"database": {"v": {"annotations": [{"segment": [1]}]}}}, r"annotation 0: .segment. is \[1\]"),
        ({"database": {"v": {"annotations": [{"segment": [2, 1]}]}}}, "ends before it starts"),
        ({"database": {"v": {"annotations": [{"segment": [True, 2]}]}}}, "in seconds"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_annotations(write(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"nowhere\.json"):
        read_annotations(tmp_path / "nowhere.json")
