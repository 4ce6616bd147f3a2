"""The forms of recall by delay that the benchmark compares, on streams worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cmsn_benchmarks.quality.finality import row
from cmsn_benchmarks.quality.later_looks import changes, curves, draw
from cmsn_runtime.events import EventKind
from cmsn_training.evaluation.events import Reported


def report(kind: EventKind, at: float, end: float, action: int = 1) -> Reported:
    return Reported(action, kind, at, 0.0, end, 0.5)


# The end is the newest step until 12 s, and then was too late by 2 seconds; a step takes one.
GOES_ON = [report("provisional", 10, 8), *(report("revised", at, at - 2) for at in (11.0, 12, 13, 14))]
GOES_ON += [report("final", 20, 12), report("final", 20, 10)]
TRUTH = {"a": np.array([(0.0, 10.0)])}
LENGTHS = {"a": 30.0}


def test_what_stood_for_two_looks_has_no_peak_where_the_newest_step_happens_to_be_right() -> None:
    found = curves({"a": GOES_ON[:-1]}, {"a": GOES_ON}, TRUTH, LENGTHS, 1.0)
    plain, stood = found["in proportion to time"], found["in proportion, what stood for two looks"]
    assert (plain["2 s"], plain["5 s"], plain["final"]) == (100, 70, 70)
    assert (stood["2 s"], stood["5 s"], stood["7 s"]) == (0, 70, 70)


def test_alternatives_count_only_among_the_finals() -> None:
    found = curves({"a": GOES_ON[:-1]}, {"a": GOES_ON}, TRUTH, LENGTHS, 1.0)["in proportion, with alternatives"]
    assert (found["7 s"], found["10 s"], found["final"]) == (70, 100, 100)


def test_changes_after_two_looks_are_counted_with_what_they_did() -> None:
    """The first action stood at 10 s and moved to 12; the second stays, and the third is nowhere near a true one."""
    paused = [report("provisional", 12, 10), report("revised", 15, 12), report("final", 20, 12), report("final", 20, 9)]
    stays = [report("provisional", 12, 10, action=2), report("final", 20, 10, action=2)]
    other = [Reported(3, "provisional", 25, 20, 22, 0.5), Reported(3, "final", 29, 20, 22, 0.5)]
    found = changes({"a": [*paused, *stays, *other]}, TRUTH, 1.0)
    assert found == {"actions": 2, "moved": 1, "mean_tiou_change_of_moved": -0.167}


def test_finals_at_once_are_level() -> None:
    found = curves({"a": GOES_ON}, {"a": GOES_ON}, TRUTH, LENGTHS, 1.0)["in proportion, finals at once"]
    assert set(list(found.values())[4:]) == {100}


def test_waits_and_messages_are_those_of_announced_actions() -> None:
    reports = [report("provisional", 1, 0.5, action=2), report("withdrawn", 2, 0.5, action=2), *GOES_ON]
    figures = row({"a": reports}, TRUTH, LENGTHS)
    assert figures["withdrawn_percent"] == 50
    assert figures["revisions"] == 2
    assert (figures["seconds_to_first"], figures["seconds_to_final"]) == (10, 8)
    assert (figures["AR@1"], figures["AR@5"]) == (70, 100)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw({"a set": curves({"a": GOES_ON}, {"a": GOES_ON}, TRUTH, LENGTHS, 1.0)}, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
