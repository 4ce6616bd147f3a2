"""The truth that sources are compared with: which names meet, which subset is taken, what is reported."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import ByName
from cmsn_runtime.sinks.lengths import LengthSink
from cmsn_runtime.truth import counted_subsets, only_subset, read_truth_of


def write(folder: Path, **subsets: str | None) -> Path:
    path = folder / "truth.json"
    entries = {name: {"subset": subset, "annotations": [{"segment": [1, 2]}]} for name, subset in subsets.items()}
    path.write_text(json.dumps({"database": entries}))
    return path


def test_sources_meet_their_entries_by_the_rule(tmp_path: Path) -> None:
    lines: list[str] = []
    sources = ["x/v_abc.mp4", "def.avi", "all.h5::ghi"]
    truth = read_truth_of(write(tmp_path, abc=None, v_def=None, **{"ghi.mp4": None}), sources, note=lines.append)
    assert [truth[name].annotations[0].end for name in ("v_abc", "def", "ghi")] == [2, 2, 2]
    assert lines == []


def test_sources_that_are_not_there_are_counted_in_one_line(tmp_path: Path) -> None:
    lines: list[str] = []
    path = write(tmp_path, a=None)
    truth = read_truth_of(path, ["a.mp4", "b.mp4", "c.mp4"], note=lines.append)
    assert lines == [f"2 of 3 sources are not in {path}, and shown without it: b, c"]
    assert truth.get("b") is None


def test_no_source_at_all_is_probably_another_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has none of b, c; its videos are a; .*the same names to both"):
        read_truth_of(write(tmp_path, a=None), ["b.mp4", "c.mp4"], note=print)


def test_a_subset_is_taken_alone(tmp_path: Path) -> None:
    path = write(tmp_path, a="training", b="Validation")
    lines: list[str] = []
    truth = read_truth_of(path, ["a.mp4", "b.mp4"], subset="validation", note=lines.append)
    assert list(truth) == ["b"]
    assert lines == [f"1 of 2 sources are not in {path}, and shown without it: a"]
    with pytest.raises(SettingsError, match="subset 'test'; it holds Validation: 1, training: 1"):
        read_truth_of(path, ["a.mp4"], subset="test", note=print)


def test_case_decides_only_where_both_are_there(tmp_path: Path) -> None:
    lines: list[str] = []
    truth = read_truth_of(write(tmp_path, a="Test", b="test", c=None), ["a"], note=lines.append)
    assert set(only_subset(truth, "Test", tmp_path)) == {"a"}
    assert set(only_subset(truth, "TEST", tmp_path)) == {"a", "b"}
    assert counted_subsets(truth.values()) == "Test: 1, none: 1, test: 1"


def test_a_source_of_another_length_than_annotated_is_noticed() -> None:
    truth = ByName({"a": VideoAnnotations(60.0, ()), "b": VideoAnnotations(None, ())})
    lines: list[str] = []
    sink = LengthSink(truth, lines.append, hint="are they of another video?")
    for source, duration in (("a.mp4", 58), ("a.mp4", 60_000), ("b.mp4", 3), ("c.mp4", 3), ("a.mp4", None)):
        sink.begin(source, None if duration is None else Fraction(duration))
    assert lines == ["a.mp4: lasts 60000.0 s, its annotated duration is 60.0 s; are they of another video?"]
