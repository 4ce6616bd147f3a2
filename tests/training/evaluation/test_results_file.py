"""Files of results as the field writes them: what is taken, what is left out and reported, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.errors import AnnotationError
from cmsn_training.evaluation.results_file import Results, read_results

GOOD = {"score": 0.5, "segment": [1, 5]}


def read(folder: Path, content: Any, *, encoding: str = "utf-8") -> tuple[Results, str]:
    """The results, and what was reported, which is one line at most."""
    path = folder / "r.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding)
    lines: list[str] = []
    found = read_results(path, note=lines.append)
    assert len(lines) <= 1
    return found, "".join(lines)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_every_unicode_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    found, _ = read(tmp_path, {"results": {"a": [GOOD]}}, encoding=encoding)
    assert found.proposals["a"].tolist() == [[1, 5]]


@pytest.mark.parametrize(
    "content",
    [
        {"version": "VERSION 1.3", "results": {"a": [GOOD]}, "external_data": {}},
        {"results": {"a": [GOOD]}},
        {"a": [GOOD]},
        {"results": {"a": [{"score": "0.5", "segment": ["1", "5.0"], "proposal_id": 3}]}},
    ],
)
def test_every_version_of_the_results_format_is_read(tmp_path: Path, content: Any) -> None:
    found, line = read(tmp_path, content)
    assert (found.proposals["a"].tolist(), found.detections, line) == ([[1, 5]], {}, "")


def test_videos_without_proposals_are_kept(tmp_path: Path) -> None:
    found, line = read(tmp_path, {"results": {"a": [], "b": []}})
    assert [spans.shape for spans in found.proposals.values()] == [(0, 2), (0, 2)]
    assert line == ""


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"score": 1}, "no segment [start, end] with a score: 1 (a {'score': 1})"),
        ({"segment": [1, 2]}, "no segment [start, end] with a score"),
        ({"score": "high", "segment": [1, 2]}, "no segment [start, end] with a score"),
        ({"score": float("nan"), "segment": [1, 2]}, "no segment [start, end] with a score"),
        ({"score": 1, "segment": [1, float("inf")]}, "no segment [start, end] with a score"),
        ({"score": 1, "segment": [1, 2, 3]}, "no segment [start, end] with a score"),
        (None, "no segment [start, end] with a score: 1 (a None)"),
        ({"score": 1, "segment": [2, 1]}, "left out, reversed: 1 (a [2, 1])"),
    ],
)
def test_a_proposal_that_cannot_be_used_is_left_out_with_a_line(tmp_path: Path, item: Any, kind: str) -> None:
    found, line = read(tmp_path, {"results": {"a": [item, GOOD]}})
    assert found.proposals["a"].tolist() == [[1, 5]]
    assert kind in line
    with pytest.raises(AnnotationError, match="nothing is left to use"):
        read(tmp_path, {"results": {"a": [item]}})


def test_labels_may_be_numbers_or_missing(tmp_path: Path) -> None:
    items = [{**GOOD, "label": 3}, {**GOOD, "label": None}, {**GOOD, "label": "x"}]
    found, line = read(tmp_path, {"results": {"a": items, "b": [GOOD]}})
    assert {label: list(videos) for label, videos in found.detections.items()} == {"3": ["a"], "x": ["a"]}
    assert len(found.proposals["a"]) == 3
    assert "without a label, they count in recall alone: 2 (a [1, 5], b [1, 5])" in line


def test_a_list_that_is_none_and_a_name_given_twice_are_reported(tmp_path: Path) -> None:
    _, line = read(tmp_path, {"results": {"a": [GOOD], "b": None}})
    assert "left out, no list of proposals: 1 (b)" in line
    found, line = read(tmp_path, '{"results": {"a": [], "a": [{"score": 1, "segment": [1, 2]}]}}')
    assert len(found.proposals["a"]) == 1
    assert "named twice, the last is taken: 1 (a)" in line


@pytest.mark.parametrize("content", [[], {"results": []}, {}, "no JSON", {"database": {}}, {"a": 1}])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(AnnotationError, match=r"r\.json"):
        read(tmp_path, content)


def test_videos_that_were_not_read_to_their_end_are_reported(tmp_path: Path) -> None:
    incomplete = {"a": {"seconds": 7.96, "reason": "broke off"}}
    _, line = read(tmp_path, {"results": {"a": [GOOD], "b": []}, "external_data": {"incomplete": incomplete}})
    assert line.endswith("r.json: not read to their end: 1 (a)")
    assert read(tmp_path, {"results": {"a": [GOOD]}, "external_data": {"used": True}})[1] == ""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1", "nan"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["results", "segment", "score", "label", "external_data", "incomplete"]), inner
        )
    ),
    max_leaves=20,
)
proposals = st.fixed_dictionaries(
    {"segment": st.lists(values, max_size=3), "score": values}, optional={"label": values}
)


@given(st.fixed_dictionaries({"results": st.dictionaries(st.text(max_size=3), st.lists(proposals | values))}) | values)
def test_whatever_a_file_holds_it_is_ranked_or_refused(content: Any) -> None:
    with TemporaryDirectory() as folder:
        try:
            found, _ = read(Path(folder), json.dumps(content))
        except AnnotationError as error:
            assert "\n" not in str(error)
            return
    for spans in found.proposals.values():
        assert spans.shape[1] == 2
        assert np.isfinite(spans).all()
        assert (spans[:, 0] <= spans[:, 1]).all()
