"""Many cameras on one model: fair, isolated, numbered, settled whatever happens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from command_line import ACTION, FPS
from running_fleet import Running, content
from waiting import settle_seconds, wait_for

from cmsn_runtime.backends.asks import Extract, StepFeatures
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError, SettingsError
from cmsn_runtime.events import Event, Notice
from cmsn_runtime.live.settings import FleetSettings
from cmsn_runtime.pictures.frame import Frame

UNDER_WAY = ACTION[:120]  # the action has begun, and has not ended


def numbers(running: Running, name: str) -> list[int]:
    return [event.stamp.seq for event in running.notes.found[name] if event.stamp is not None]


def test_a_camera_reports_what_its_frames_alone_lead_to(tiny: Bundle, running: Running) -> None:
    door = running.add("door")
    door.frames(ACTION)
    running.wait_until_processed(door)
    running.stop()
    with tiny.stream() as stream:
        pictures = [np.full((18, 24, 3), colour, np.uint8) for colour in ACTION]
        alone = [event for at, each in enumerate(pictures) for event in stream.push(Frame(each, at / FPS))]
        alone += stream.flush()
    assert running.notes.found["door"] == alone
    assert any(isinstance(event, Event) and event.kind == "final" for event in alone)
    assert running.notes.endings["door"].reason == ""


def test_stages_are_shown_before_they_are_settled(running: Running) -> None:
    door = running.add("door")
    door.frames(ACTION[:64])
    running.wait_until_processed(door)
    previews = running.notes.previews
    assert [len(each.stages) for each in previews] == list(range(1, len(previews) + 1))
    assert len(previews) >= 5  # of 8 steps; the resampler and the tiny extractor are late
    running.stop()


def test_reports_are_the_same_alone_and_beside_cameras_that_fail_and_restart(tiny: Bundle) -> None:
    found = []
    for others in (0, 7):
        running = Running(tiny)
        door = running.add("door")
        rest = [running.add(f"other-{number}") for number in range(others)]
        for begin in range(0, len(ACTION), 16):
            door.frames(ACTION[begin : begin + 16])
            for number, other in enumerate(rest):
                other.frames(ACTION[: 8 + number])
                if number % 2:
                    other.lose()
                    other.come_back()
                if begin == 64 and number == 4:
                    running.fleet.restart(other.name)
                if begin == 96 and number == 6:
                    running.fleet.remove(other.name)
        running.wait_until_processed(door)
        running.stop()
        found.append(content(running.notes.found["door"]))
    assert found[0] == found[1]
    assert any(row[0] == "final" for row in found[0])


def test_a_loss_settles_what_is_under_way_before_it_is_reported(running: Running) -> None:
    door = running.add("door")
    door.frames(UNDER_WAY)
    door.lose("no frames for 5 s")
    door.come_back()
    door.frames(ACTION)
    running.wait_until_processed(door, frames=len(UNDER_WAY) + len(ACTION))
    running.stop()
    kinds = running.notes.kinds("door")
    lost = kinds.index("source_lost")
    assert "final" in kinds[:lost]
    assert kinds[lost : lost + 3] == ["source_lost", "source_back", "gap"]
    assert kinds[-1] == "final"
    notices = [event for event in running.notes.found["door"] if isinstance(event, Notice)]
    assert [notice.segment for notice in notices] == [1, 2, 2]
    assert "reset" not in kinds  # the gap says it already


def test_no_number_is_missing_or_doubled_through_twenty_losses(running: Running) -> None:
    door = running.add("door")
    for _ in range(20):
        door.frames(UNDER_WAY)
        door.lose()
        door.come_back()
    door.frames(UNDER_WAY)
    wait_for(lambda: running.notes.kinds("door").count("source_back") == 20)
    running.stop()
    kinds = running.notes.kinds("door")
    assert (kinds.count("source_lost"), kinds.count("source_back"), kinds.count("gap")) == (20, 20, 20)
    assert numbers(running, "door") == list(range(1, len(kinds) + 1))
    finals = [e.stamp.id for e in running.notes.found["door"] if isinstance(e, Event) and e.kind == "final" and e.stamp]
    assert len(set(finals)) == len(finals) >= 21


def test_a_stop_settles_every_camera(running: Running) -> None:
    names = [f"camera-{number}" for number in range(4)]
    for name in names:
        running.add(name).frames(UNDER_WAY)
    for capture in running.captures.each(names):
        running.wait_until_processed(capture)
    running.stop()
    assert running.error is None
    assert all(running.notes.kinds(name)[-1] == "final" for name in names)
    assert all(capture.closed for capture in running.captures.opened)
    assert set(running.notes.endings) == set(names)


def test_where_networks_are_too_slow_for_the_end_actions_are_final_as_last_seen(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(tiny)
    capture = running.add("door")
    capture.frames(UNDER_WAY)
    running.wait_until_processed(capture)
    extract = OnnxRuntimeBackend.extract

    def slow(self: OnnxRuntimeBackend, asks: Sequence[Extract]) -> list[StepFeatures]:
        time.sleep(0.6)
        return extract(self, asks)

    monkeypatch.setattr(OnnxRuntimeBackend, "extract", slow)
    capture.frames(ACTION[120:160])
    begin = time.monotonic()
    running.stop()
    assert time.monotonic() - begin < settle_seconds()  # a promise to those who stop a service
    assert running.notes.kinds("door")[-1] == "final"


def test_a_file_played_as_a_camera_ends_the_run_at_its_end(tiny: Bundle) -> None:
    running = Running(tiny, until_ended=True)
    door = running.add("door")
    door.frames(ACTION)
    door.end()
    running.join()
    assert running.error is None
    assert running.notes.kinds("door")[-1] == "final"
    assert running.fleet.faults == []


def test_a_source_that_can_never_be_used_is_a_fault(tiny: Bundle) -> None:
    running = Running(tiny, until_ended=True)
    running.add("door").end("no such file")
    running.join()
    assert running.fleet.faults == [("door", "no such file")]
    assert running.notes.endings["door"].reason == "no such file"


def test_cameras_come_and_go_while_others_run(running: Running) -> None:
    door = running.add("door")
    door.frames(UNDER_WAY)
    yard = running.add("yard")
    yard.frames(UNDER_WAY)
    running.wait_until_processed(yard)
    running.fleet.remove("yard")
    wait_for(lambda: "yard" in running.notes.endings)
    assert yard.closed
    assert running.notes.kinds("yard")[-1] == "final"
    assert [status.name for status in running.fleet.statuses()] == ["door"]
    again = running.add("yard")
    again.frames(UNDER_WAY)
    running.wait_until_processed(again)
    running.stop()
    ids = [event.stamp.key for event in running.notes.found["yard"] if event.stamp is not None]
    assert len(set(ids)) == len(ids)
    assert ids[0].startswith("north/yard/R/") and ids[-1].startswith("north/yard/R.1/")


def test_a_camera_that_has_ended_can_be_removed_and_added_again(running: Running) -> None:
    running.add("yard")
    door = running.add("door")
    door.end("no such file")
    wait_for(lambda: "door" in running.notes.endings)
    running.fleet.restart("door")  # in vain
    running.fleet.remove("door")
    wait_for(lambda: len(running.fleet.statuses()) == 1)
    again = running.add("door")
    again.frames(ACTION[:8])
    running.wait_until_processed(again)


def test_a_restart_connects_anew_and_numbers_on(running: Running) -> None:
    door = running.add("door")
    door.frames(UNDER_WAY)
    running.wait_until_processed(door)
    running.fleet.restart("door")
    wait_for(lambda: len(running.captures.opened) == 2)
    door.frames(UNDER_WAY)  # late frames of the old connection do not count
    running.captures.opened[1].frames(ACTION)
    running.wait_until_processed(door, frames=len(UNDER_WAY) + len(ACTION))
    running.stop()
    assert door.closed
    kinds = running.notes.kinds("door")
    assert (kinds.count("source_lost"), kinds.count("source_back")) == (1, 1)
    assert numbers(running, "door") == list(range(1, len(kinds) + 1))


def test_two_cameras_of_one_name_are_refused(running: Running) -> None:
    running.add("door")
    with pytest.raises(SettingsError, match="two cameras are called door"):
        running.add("door")
    with pytest.raises(SettingsError, match="no camera is called yard; there are door"):
        running.fleet.remove("yard")


def test_a_silence_settles_what_is_under_way_before_the_camera_counts_as_lost(running: Running) -> None:
    door = running.add("door", stall_seconds=30.0)
    door.frames(UNDER_WAY)
    wait_for(lambda: "final" in running.notes.kinds("door"))
    assert [status.state for status in running.fleet.statuses()] == ["running"]
    door.come_back()
    door.frames(UNDER_WAY)
    running.wait_until_processed(door, frames=2 * len(UNDER_WAY))


def test_each_camera_has_settings_of_its_own(running: Running) -> None:
    door = running.add("door", **{"tracking.settle_steps": 40})
    yard = running.add("yard", **{"tracking.settle_steps": 1})
    for capture in (door, yard):
        capture.frames(ACTION)
        running.wait_until_processed(capture)
    assert "final" not in running.notes.kinds("door")
    assert "final" in running.notes.kinds("yard")
    with pytest.raises(SettingsError, match="settle_steps is 0"):
        running.add("hall", **{"tracking.settle_steps": 0})


def test_a_status_has_what_people_need_to_judge_a_camera(running: Running) -> None:
    door = running.add("door")
    (status,) = running.fleet.statuses()
    assert (status.state, status.seconds, status.clock) == ("opening", None, None)
    door.frames(UNDER_WAY)
    running.wait_until_processed(door)
    (status,) = running.fleet.statuses()
    assert (status.state, status.frames, status.waiting, status.clock) == ("running", 120, 0, "arrival")
    assert sum(status.lags) == 120
    assert status.lag_sum > 0
    assert status.frames_per_second > 0
    door.lose("the cable")
    wait_for(lambda: running.notes.kinds("door")[-1] == "source_lost")
    (status,) = running.fleet.statuses()
    assert (status.state, status.reason, status.losses) == ("lost", "the cable", 1)


def test_a_failure_of_the_networks_costs_one_segment_of_one_camera(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = OnnxRuntimeBackend.extract
    failing = [True]

    def sometimes(self: OnnxRuntimeBackend, asks: Sequence[Extract]) -> list[StepFeatures]:
        if failing and int(asks[0].frames[0, 0, 0, 0]) == 0 and failing.pop():
            raise BackendError("out of memory")
        return extract(self, asks)

    running = Running(tiny)
    door = running.add("door")
    monkeypatch.setattr(OnnxRuntimeBackend, "extract", sometimes)
    door.frames(ACTION)
    running.wait_until_processed(door, frames=len(ACTION) - 1)
    yard = running.add("yard")
    yard.frames(ACTION)
    running.wait_until_processed(yard)
    running.stop()
    assert [(name, str(error)) for name, error in running.failures] == [("door", "out of memory")]
    gaps = [event for event in running.notes.found["door"] if event.kind == "gap"]
    assert [event.reason for event in gaps if isinstance(event, Notice)] == ["frames were lost: out of memory"]
    assert "gap" not in running.notes.kinds("yard")


@pytest.mark.parametrize("how", ["end", "lose"])
def test_a_camera_whose_last_hop_fails_is_settled_and_its_end_or_loss_reported(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def fails(self: OnnxRuntimeBackend, asks: Sequence[Extract]) -> list[StepFeatures]:
        raise BackendError("out of memory")

    running = Running(tiny, until_ended=True)
    door = running.add("door")
    door.frames(UNDER_WAY[:-4])
    running.wait_until_processed(door)
    monkeypatch.setattr(OnnxRuntimeBackend, "extract", fails)
    getattr(door, how)("the cable was cut")
    if how == "lose":
        wait_for(lambda: "source_lost" in running.notes.kinds("door"))
        door.end()
    running.join()
    assert [str(error) for _, error in running.failures][:1] == ["out of memory"]
    assert "final" in running.notes.kinds("door")
    assert running.notes.endings["door"].reason == ("the cable was cut" if how == "end" else "")


def test_networks_that_only_fail_end_the_run(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: OnnxRuntimeBackend, asks: Sequence[Extract]) -> list[StepFeatures]:
        raise BackendError("the device is lost")

    monkeypatch.setattr("cmsn_runtime.live.fleet._FAILING_SECONDS", 0.1)
    running = Running(tiny)
    door = running.add("door")
    monkeypatch.setattr(OnnxRuntimeBackend, "extract", fails)
    for _ in range(100):
        door.frames(ACTION[:8])
        time.sleep(0.01)
        if running.error is not None:
            break
    running.join()
    assert isinstance(running.error, BackendError)
    assert "the device is lost" in str(running.error)
    assert "door" in running.notes.endings


def test_asks_of_cameras_that_come_together_are_answered_in_one_call(tiny_bundle: Path) -> None:
    sizes: list[int] = []
    with open_bundle(tiny_bundle, backend="onnxruntime", threads=1, largest_batch=8) as bundle:
        extract = bundle.backend.extract

        def counted(asks: Sequence[Extract]) -> list[StepFeatures]:
            sizes.append(len(asks))
            return extract(asks)

        bundle.backend.extract = counted  # type: ignore[method-assign]
        running = Running(bundle, FleetSettings(batch_seconds=0.5))
        cameras = [running.add(f"camera-{number}") for number in range(8)]
        for begin in range(0, 64, 8):
            for camera in cameras:
                camera.frames(ACTION[begin : begin + 8])
        for camera in cameras:
            running.wait_until_processed(camera, frames=56)
        running.stop()
    assert max(sizes) == 8
