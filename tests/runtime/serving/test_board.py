"""What is kept to be shown: bounded, newest first, one row for each action."""

from __future__ import annotations

import json
import time
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from served_page import STEP_SECONDS, event, frame, notice

from cmsn_runtime.events import StagePreview, StageStep
from cmsn_runtime.pictures.compressed import CompressedFrame
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.serving.board import Board
from cmsn_runtime.stages import Stage

NOTHING = np.zeros(6, np.float32)


@pytest.fixture
def board() -> Board:
    return Board(step_seconds=STEP_SECONDS)


def preview(first: int, *stages: int) -> StagePreview:
    return StagePreview(first * STEP_SECONDS, np.array(stages, np.uint8))


def spans(runs: object) -> list[tuple[int, int, int]]:
    """Stage, and first and last step, of each run."""
    assert isinstance(runs, list)
    return [(stage, *(round(seconds / float(STEP_SECONDS)) for seconds in times)) for stage, *times in runs]


def test_steps_of_one_stage_are_one_run(board: Board) -> None:
    for index, stage in enumerate([0, 0, 1, 1, 1, 2]):
        board.add_step("door", StageStep(index * STEP_SECONDS, Stage(stage), NOTHING))
    assert spans(board.snapshot()["stages"]["door"]) == [(0, 0, 2), (1, 2, 5), (2, 5, 6)]  # type: ignore[index]


def test_a_preview_replaces_the_one_before(board: Board) -> None:
    board.add_preview("door", preview(0, 0, 0, 1))
    message = board.add_preview("door", preview(1, 0, 2, 2))
    assert spans(message["runs"]) == [(0, 1, 2), (2, 2, 4)]
    assert board.snapshot()["previews"] == {"door": message["runs"]}


def test_what_a_cut_segment_showed_last_stays(board: Board) -> None:
    board.add_step("door", StageStep(Fraction(0), Stage(0), NOTHING))
    board.add_preview("door", preview(1, 3, 3))
    board.add_preview("door", preview(10, 0))
    assert spans(board.snapshot()["stages"]["door"]) == [(0, 0, 1), (3, 1, 3)]  # type: ignore[index]


def test_reports_on_an_action_share_a_row_which_stays_in_its_place(board: Board) -> None:
    board.add_event("door", event("provisional", action=1))
    board.add_event("door", event("provisional", action=2))
    board.add_event("door", event("final", action=1))
    rows = board.snapshot()["events"]
    assert isinstance(rows, list)
    assert [(row["action"], row["kind"]) for row in rows] == [(1, "final"), (2, "provisional")]


def test_the_picture_is_compressed_once_and_only_when_it_is_asked_for(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Frame] = []

    def compress(each: Frame) -> bytes:
        calls.append(each)
        return b"jpeg"

    monkeypatch.setattr("cmsn_runtime.serving.board.as_jpeg", compress)
    assert board.jpeg("door") is None
    for _ in range(5):
        board.add_picture("door", frame())
    assert not calls
    assert [board.jpeg("door") for _ in range(3)] == [b"jpeg"] * 3
    assert len(calls) == 1


def test_a_picture_that_came_compressed_is_passed_on_as_it_is(board: Board) -> None:
    board.add_picture("door", CompressedFrame(b"\xff\xd8 as it came", Fraction(1)))
    assert board.jpeg("door") == b"\xff\xd8 as it came"


def test_a_camera_that_was_removed_is_forgotten_and_its_events_stay(board: Board) -> None:
    for name in ("door", "hall"):
        board.add_picture(name, frame())
        board.add_event(name, event(camera=name))
    board.keep(["hall"])
    shown = board.snapshot()
    assert board.jpeg("door") is None and board.jpeg("hall")
    assert list(shown["stages"]) == ["hall"] and len(shown["events"]) == 2  # type: ignore[call-overload, arg-type]


def test_a_clip_is_added_to_its_row(board: Board) -> None:
    board.add_event("door", event(begin=time.time() - 59))
    board.add_event("door", event(action=2, begin=time.time() - 500))  # too old: it will get none
    [key] = board.without_clip()
    assert board.add_clip(key, "1.clip.mp4") == {"type": "clip", "id": key, "name": "1.clip.mp4"}
    assert board.add_clip("unknown", "x") is None
    assert board.without_clip() == []


def test_memory_does_not_grow_with_time(board: Board) -> None:
    def day(begin: int) -> None:
        picture = frame()
        for index in range(begin, begin + 5_000):
            for name in ("door", "hall"):
                board.add_step(name, StageStep(index * STEP_SECONDS, Stage(index % 6), NOTHING))
                board.add_preview(name, preview(index, 0, 1, 2))
            if index % 10 == 0:
                board.add_picture("door", picture)
                board.add_event("door", event(action=index))
                board.add_event("door", notice("gap", "missing", number=index))

    day(0)
    tracemalloc.start()
    day(5_000)
    size = len(json.dumps(board.snapshot()))
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(json.dumps(board.snapshot())) == size < 150_000
    assert grown < 400_000  # what replaced the first day
