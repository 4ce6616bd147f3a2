"""A signal while `cmsn run` watches a camera keeps everything, whatever the camera does; the status is the signal's."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import ACTION, clip, command
from external import require_gstreamer
from rtsp import RtspServer, endless
from waiting import settle_seconds, text_so_far, wait_for

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspServer]:
    require_gstreamer()
    with RtspServer({"live": endless(clip(tmp_path / "action.mp4", ACTION))}) as server:
        yield server


class Run:
    """`cmsn run` of a camera, with two outputs."""

    def __init__(self, folder: Path, bundle: Path, url: str) -> None:
        self.lines, self.rows, self.log = folder / "events.jsonl", folder / "rows.csv", folder / "log.txt"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command("run", url, "--bundle", bundle, "--json", self.lines, "--csv", self.rows, "--quiet"),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in text_so_far(self.lines).splitlines()]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events()]

    def stop(self, number: signal.Signals) -> None:
        asked = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(30)
        assert (status, time.monotonic() - asked < settle_seconds()) == (128 + number, True)
        assert f"stopped by {number.name}" in self.log.read_text()


def nothing(server: RtspServer) -> None:
    """An action is under way, and frames arrive."""


def freeze(server: RtspServer) -> None:
    server.freeze()
    time.sleep(0.5)


@pytest.mark.parametrize(
    ("happens", "number"),
    [(nothing, signal.SIGINT), (freeze, signal.SIGTERM), (RtspServer.kill, signal.SIGTERM)],
    ids=["running-SIGINT", "frozen-SIGTERM", "lost-SIGTERM"],
)
def test_a_signal_settles_what_is_under_way(
    tmp_path: Path,
    tiny_bundle: Path,
    server: RtspServer,
    happens: Callable[[RtspServer], None],
    number: signal.Signals,
) -> None:
    with Run(tmp_path, tiny_bundle, server.url("live")) as run:
        wait_for(lambda: "provisional" in run.kinds(), seconds=60)
        happens(server)
        if happens is RtspServer.kill:
            wait_for(lambda: "source_lost" in run.kinds(), seconds=30)
        run.stop(number)
        if happens is freeze:
            server.thaw()
        events = run.events()
        announced = {event["action"] for event in events if event["action"]}
        ended = {event["action"] for event in events if event["kind"] in ("final", "withdrawn")}
        finals = [event for event in events if event["kind"] == "final"]
        assert announced == ended and finals
        assert len(run.rows.read_text().splitlines()) == 1 + len(finals)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: str(number.name))
def test_a_signal_ends_it_while_it_is_opening_a_camera(
    tmp_path: Path, tiny_bundle: Path, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections, and says nothing
        with Run(tmp_path, tiny_bundle, f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live") as run:
            listener.settimeout(60)
            connection, _ = listener.accept()
            with connection:
                run.stop(number)
        assert run.rows.read_text().startswith("source,") and len(run.rows.read_text().splitlines()) == 1
