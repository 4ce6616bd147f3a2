"""A site that runs: cameras join and leave, outputs are changed, and what stays is not touched."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import ACTION
from fake_capture import FakeCaptures
from waiting import wait_for

from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import BackendError, CmsnError
from cmsn_runtime.live.fleet import Fleet
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sites.reading import read_site
from cmsn_runtime.sites.service import Service
from cmsn_runtime.sites.tables import Site

BASE = """
[site]
name = "home"
[cameras.door]
url = "fake://door"
[cameras.yard]
url = "fake://yard"
[outputs.all]
kind = "json"
path = "all.jsonl"
"""


class Running:
    """A service over cameras that the test plays."""

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.captures = FakeCaptures()
        self._folder, self._bundle = folder, bundle
        self.service = Service(self.site(BASE), bundle, self._open)
        self.service.start()
        wait_for(lambda: len(self.captures.opened) == 2)

    def site(self, text: str) -> Site:
        path = self._folder / "site.toml"
        path.write_text(text)
        return read_site(path)

    def change(self, text: str) -> str:
        return str(self.service.change(self.site(text)))

    def act(self, camera: str) -> None:
        """An action passes a camera, and is processed."""
        capture = self.captures.of(camera)
        capture.frames(ACTION)
        wait_for(lambda: self.frames(camera) >= capture.next)

    def frames(self, camera: str) -> int:
        return sum(each.frames for each in self.service.statuses() if each.name == camera)

    def _open(self, bundle: Bundle, outlets: Outlets, site: Site) -> Fleet:
        return Fleet(bundle, outlets, site.scheduler, site=site.name, run="R", capture=self.captures)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("CMSN_STATE_DIR", str(folder))
    return folder


@pytest.fixture
def running(tmp_path: Path, tiny_bundle: Path, state: Path) -> Iterator[Running]:
    with open_bundle(tiny_bundle) as bundle:
        running = Running(tmp_path, bundle)
        with running.service:
            yield running


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def finals(path: Path, camera: str) -> list[str]:
    """Ids of the best finals of a camera in an output."""
    return [each["id"] for each in read(path) if (each["kind"], each["source"], each["rank"]) == ("final", camera, 1)]


def test_the_end_settles_what_is_under_way_in_every_camera(running: Running, state: Path) -> None:
    for camera in ("door", "yard"):
        capture = running.captures.of(camera)
        capture.frames(ACTION[:120])  # the action has not ended
    wait_for(lambda: all(running.frames(camera) >= 112 for camera in ("door", "yard")))
    running.service.close()
    assert running.service.error is None and not running.service.running
    assert finals(state / "all.jsonl", "door") == ["home/door/R/1/1/1"]
    assert finals(state / "all.jsonl", "yard") == ["home/yard/R/1/1/1"]
    assert all(capture.closed for capture in running.captures.opened)


def test_a_camera_is_added_and_another_removed_while_the_rest_continue(running: Running, state: Path) -> None:
    door = running.captures.of("door")
    running.act("door")
    line = running.change(BASE.replace("cameras.yard", "cameras.gate").replace("//yard", "//gate"))
    assert line == "cameras: added gate, removed yard"
    wait_for(lambda: len(running.captures.opened) == 3 and running.captures.opened[1].closed)
    running.act("gate")
    assert running.captures.of("door") is door and not door.closed
    running.service.close()
    assert finals(state / "all.jsonl", "gate") == ["home/gate/R/1/1/1"]
    numbers = [each["seq"] for each in read(state / "all.jsonl") if each["source"] == "door"]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_camera_whose_settings_change_is_connected_anew_and_its_ids_stay_unique(
    running: Running, state: Path
) -> None:
    running.act("door")
    assert running.change(BASE.replace("fake://door", "fake://other")) == "cameras: changed door"
    wait_for(lambda: len(running.captures.opened) == 3)
    running.act("door")
    running.service.close()
    assert finals(state / "all.jsonl", "door") == ["home/door/R/1/1/1", "home/door/R.1/1/1/1"]
    assert len(running.captures.opened) == 3


def test_a_camera_that_was_given_up_is_connected_anew_by_a_change_and_one_at_its_end_is_not(running: Running) -> None:
    running.captures.of("door").end("there is no such file")
    running.captures.of("yard").end()
    wait_for(lambda: [each.state for each in running.service.statuses()] == ["ended", "ended"])
    assert running.change(BASE) == "nothing has changed"
    wait_for(lambda: len(running.captures.opened) == 3)
    running.act("door")
    assert len(running.captures.opened) == 3


def test_settings_of_all_streams_can_change(running: Running, state: Path) -> None:
    assert running.change(f"{BASE}\n[proposals]\nmax_proposals = 1\n") == "cameras: changed door, yard"
    wait_for(lambda: len(running.captures.opened) == 4)
    running.act("door")
    running.service.close()
    assert finals(state / "all.jsonl", "door")
    assert {each["rank"] for each in read(state / "all.jsonl") if each["kind"] == "final"} == {1}


def test_an_output_is_added_replaced_and_removed_and_no_event_is_lost(running: Running, state: Path) -> None:
    running.act("door")
    line = running.change(BASE.replace("all.jsonl", "second.jsonl") + '[outputs.csv]\npath = "table.csv"\n')
    assert line == "outputs: added csv, changed all"
    running.act("door")
    assert running.change(BASE.replace("all.jsonl", "second.jsonl")) == "outputs: removed csv"
    rows = (state / "table.csv").read_text().splitlines()
    assert len(rows) > 1 and rows[0].startswith("source,")
    running.service.close()
    events = [*read(state / "all.jsonl"), *read(state / "second.jsonl")]
    numbers = [each["seq"] for each in events if each["source"] == "door"]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_output_that_cannot_be_opened_after_a_change_is_reported_and_tried_again(
    running: Running, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running.change(BASE + '[outputs.more]\nkind = "json"\npath = "absent/more.jsonl"\n')
    assert "absent" in capsys.readouterr().err
    (state / "absent").mkdir()
    running.service.revive()
    assert not (state / "absent" / "more.jsonl").exists()  # once a minute
    monkeypatch.setattr("cmsn_runtime.sites.service._AGAIN_SECONDS", 0.0)
    running.service.revive()
    running.act("door")
    running.service.close()
    assert finals(state / "absent" / "more.jsonl", "door")


def test_a_page_that_cannot_be_opened_after_a_change_is_tried_again(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cmsn_runtime.sites.service._AGAIN_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        running.change(f"{BASE}[web]\nport = {other.getsockname()[1]}\n")
        assert running.service.page_url is None and "tried again" in capsys.readouterr().err
    running.service.revive()
    assert running.service.page_url is not None


def test_an_output_that_cannot_be_opened_at_the_start_ends_it(tmp_path: Path, tiny_bundle: Path, state: Path) -> None:
    with open_bundle(tiny_bundle) as bundle, pytest.raises(CmsnError, match="absent"):
        path = tmp_path / "site.toml"
        path.write_text(BASE.replace("all.jsonl", "absent/all.jsonl"))
        captures = FakeCaptures()
        Service(read_site(path), bundle, lambda bundle, outlets, site: Fleet(bundle, outlets, capture=captures))


def test_the_failure_of_the_networks_is_what_ended_it(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise BackendError("the device is gone")

    monkeypatch.setattr("cmsn_runtime.live.turns.Turns.take", fail)
    wait_for(lambda: not running.service.running)
    assert isinstance(running.service.error, BackendError)
