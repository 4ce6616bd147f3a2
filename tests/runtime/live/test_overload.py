"""Where the machine is too slow: whole stretches are left out in turn, and each is reported."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from command_line import ACTION
from fake_capture import FakeCaptures
from running_fleet import Running
from waiting import wait_for

from cmsn_runtime.backends.asks import Extract, StepFeatures
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.errors import NoOutputLeftError
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.live.settings import CameraSettings, FleetSettings
from cmsn_runtime.secrets import Address
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.outlets import Outlets


def test_cameras_are_cut_in_turn_and_each_cut_is_reported(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    extract = OnnxRuntimeBackend.extract

    def slow(self: OnnxRuntimeBackend, asks: Sequence[Extract]) -> list[StepFeatures]:
        time.sleep(0.02)
        return extract(self, asks)

    monkeypatch.setattr(OnnxRuntimeBackend, "extract", slow)
    running = Running(tiny, FleetSettings(lag_seconds=0.3))
    cameras = [running.add(f"camera-{number}") for number in range(4)]
    done = threading.Event()

    def play() -> None:
        for _ in range(8):
            for camera in cameras:
                camera.frames(ACTION)
            time.sleep(0.3)
        done.set()

    threading.Thread(target=play, daemon=True).start()
    assert done.wait(30)
    statuses = running.fleet.statuses()
    running.stop()
    cuts = [status.overloads for status in statuses]
    assert min(cuts) >= 3
    assert max(cuts) - min(cuts) <= 1
    for status in statuses:
        kinds = running.notes.kinds(status.name)
        assert kinds.count("overload") >= status.overloads
        assert status.left_out > 0
        places = [index for index, kind in enumerate(kinds) if kind == "overload"]
        assert all(kinds[place + 1 : place + 2] in (["gap"], []) for place in places)
        numbers = [event.stamp.seq for event in running.notes.found[status.name] if event.stamp is not None]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_cut_settles_what_was_under_way(tiny: Bundle) -> None:
    running = Running(tiny, FleetSettings(lag_seconds=1.0))
    door = running.add("door")
    door.frames(ACTION[:120])
    running.wait_until_processed(door)
    door.frames(ACTION[120:130], arrived=time.monotonic() - 5)
    wait_for(lambda: running.fleet.statuses()[0].left_out == 10)
    door.frames(ACTION)
    running.wait_until_processed(door, frames=120 + len(ACTION))
    running.stop()
    kinds = running.notes.kinds("door")
    before = kinds[: kinds.index("overload")]
    assert before[0] == "provisional"
    assert set(before[1:]) == {"final"}


def test_memory_is_bounded_while_nothing_is_processed(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmsn_runtime.live.intake._MOST", 50)
    extract, hang = OnnxRuntimeBackend.extract, threading.Event()

    def hanging(self: OnnxRuntimeBackend, asks: Sequence[Extract]) -> list[StepFeatures]:
        hang.wait(20)
        return extract(self, asks)

    running = Running(tiny, FleetSettings(lag_seconds=1000.0))
    door = running.add("door")
    monkeypatch.setattr(OnnxRuntimeBackend, "extract", hanging)
    door.frames(ACTION[:8])
    wait_for(lambda: running.fleet.idle_seconds > 0.5)
    for begin in range(0, 200, 8):
        door.frames(ACTION[begin : begin + 8])
    hang.set()

    def reported() -> bool:
        door.frames(ACTION[:1])
        return "overload" in running.notes.kinds("door")

    wait_for(reported)
    running.stop()
    (status,) = running.fleet.statuses()
    assert 140 <= status.left_out < 208  # of 208, 50 of which waited
    assert running.notes.kinds("door").count("overload") == 1


def test_a_fleet_that_nobody_watches_goes_on_without_outputs(tiny: Bundle) -> None:
    class Failing(Sink):
        def event(self, source: str, event: StreamEvent) -> None:
            raise OSError("no space left")

    for unattended in (True, False):
        captures = FakeCaptures()
        fleet = Fleet(tiny, Outlets([Failing()]), capture=captures, unattended=unattended)
        fleet.add(CameraSettings(name="door", address=Address("fake://door")))
        threading.Timer(0.3, lambda captures=captures: captures.of("door").frames(ACTION)).start()
        threading.Timer(2.0, fleet.stop).start()
        if unattended:
            fleet.run()
        else:
            with pytest.raises(NoOutputLeftError):
                fleet.run()
        fleet.close()
