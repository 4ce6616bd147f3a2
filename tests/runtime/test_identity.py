"""Ids and numbers of events."""

from __future__ import annotations

import re
from fractions import Fraction

from cmsn_runtime.events import Event, EventKind, Notice, Proposal, WallClock
from cmsn_runtime.identity import Numbering, new_run


def event(kind: EventKind = "provisional") -> Event:
    return Event(kind, 3, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3), 2)


def test_reports_on_one_proposal_share_their_id_and_have_keys_of_their_own() -> None:
    numbering = Numbering(site="north", camera="door", run="R")
    stamps = [numbering.stamped(each).stamp for each in (event(), event("revised"), event("final"))]
    assert [stamp.id for stamp in stamps if stamp] == ["north/door/R/2/3/1"] * 3
    assert [stamp.seq for stamp in stamps if stamp] == [1, 2, 3]
    assert [stamp.key for stamp in stamps if stamp] == ["north/door/R/1", "north/door/R/2", "north/door/R/3"]


def test_notices_never_share_an_id() -> None:
    numbering = Numbering(camera="door", run="R")
    stamps = [numbering.stamped(Notice("gap", Fraction(1), "", 4)).stamp for _ in range(2)]
    assert [stamp.id for stamp in stamps if stamp] == ["local/door/R/4/0/1", "local/door/R/4/0/2"]


def test_a_slash_in_a_camera_name_does_not_add_a_part_to_the_id() -> None:
    stamp = Numbering(camera="rtsp://host/a", run="R").stamped(event()).stamp
    assert stamp is not None
    assert stamp.id == "local/rtsp:__host_a/R/2/3/1"


def test_the_wall_clock_is_exact_until_it_is_converted() -> None:
    assert WallClock(Fraction(1_700_000_000), "rtcp").at(Fraction(1, 3)) == 1_700_000_000 + 1 / 3


def test_runs_have_different_ids_that_sort_by_time() -> None:
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", new_run())
    assert len({new_run() for _ in range(50)}) > 40
