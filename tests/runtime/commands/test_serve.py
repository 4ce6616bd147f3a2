"""`cmsn serve` from the outside, with cameras that are real but for their pictures."""

from __future__ import annotations

import csv
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chaos_proxy import ChaosProxy
from command_line import ACTION, clip, cmsn_process
from external import require_gstreamer
from processes import handles_sigterm
from rtsp import RtspServer, endless
from served_site import ServedSite
from waiting import settle_seconds, wait_for

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")


def site(bundle: Path, url: str, *, stall_seconds: float = 30.0) -> str:
    return f"""
[site]
name = "home"
bundle = "{bundle}"
[cameras.door]
url = "{url}"
capture = {{ stall_seconds = {stall_seconds} }}
[outputs.events]
kind = "json"
path = "events.jsonl"
[outputs.table]
kind = "csv"
path = "table.csv"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspServer]:
    require_gstreamer()
    with RtspServer({"live": endless(clip(tmp_path / "action.mp4", ACTION))}) as server:
        yield server


def require_all_final(served: ServedSite) -> None:
    """Every action that was announced has an end, and both outputs have the same finals."""
    events = served.events()
    open_actions: set[str] = set()
    for event in events:
        if event["action"]:
            action = event["id"].rpartition("/")[0]
            (open_actions.discard if event["kind"] in ("final", "withdrawn") else open_actions.add)(action)
    assert not open_actions
    with (served.state / "table.csv").open() as file:
        rows = [(row["action"], row["rank"], float(row["end"])) for row in csv.DictReader(file)]
    finals = [event for event in events if event["kind"] == "final"]
    assert rows == [(str(event["action"]), str(event["rank"]), event["end"]) for event in finals]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def end(served: ServedSite, number: signal.Signals) -> None:
    status, seconds = served.stop(number)
    assert (status, served.log.splitlines()[-1].endswith("stopped; everything is written")) == (0, True), served.log
    assert seconds < settle_seconds()
    require_all_final(served)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=lambda number: str(number.name))
def number(request: pytest.FixtureRequest) -> signal.Signals:
    return signal.Signals(request.param)


def test_it_ends_while_a_camera_is_opening(tmp_path: Path, tiny_bundle: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections, and says nothing
        url = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live"
        with ServedSite(tmp_path, site(tiny_bundle, url)) as served:
            served.wait_for_line("door: opening")
            connection, _ = listener.accept()
            with connection:
                end(served, number)
            assert served.events() == []


def nothing(served: ServedSite, server: RtspServer) -> None:
    """Frames arrive."""


def freeze(served: ServedSite, server: RtspServer) -> None:
    server.freeze()


def lose(served: ServedSite, server: RtspServer) -> None:
    """It waits for its next attempt."""
    server.kill()
    served.wait_for(lambda: "source_lost" in served.kinds())


@pytest.mark.parametrize(
    ("happens", "number"),
    [(nothing, signal.SIGINT), (nothing, signal.SIGTERM), (freeze, signal.SIGTERM), (lose, signal.SIGINT)],
    ids=["running-SIGINT", "running-SIGTERM", "frozen-SIGTERM", "lost-SIGINT"],
)
def test_it_ends_while_an_action_is_under_way(
    tmp_path: Path,
    tiny_bundle: Path,
    server: RtspServer,
    happens: Callable[[ServedSite, RtspServer], None],
    number: signal.Signals,
) -> None:
    with ServedSite(tmp_path, site(tiny_bundle, server.url("live"))) as served:
        served.wait_for(lambda: "provisional" in served.kinds())
        happens(served, server)
        end(served, number)
        assert "final" in served.kinds()


def test_it_ends_before_anything_is_opened(tmp_path: Path, tiny_bundle: Path, number: signal.Signals) -> None:
    with ServedSite(tmp_path, site(tiny_bundle, "rtsp://127.0.0.1:1/live")) as served:
        served.wait_for(lambda: handles_sigterm(served.process.pid))
        status, _ = served.stop(number)
        assert status in (0, 128 + number)


def test_a_changed_file_changes_the_cameras_after_sighup_and_a_faulty_one_does_not(
    tmp_path: Path, tiny_bundle: Path, server: RtspServer
) -> None:
    text = site(tiny_bundle, server.url("live"))
    with ServedSite(tmp_path, text) as served:
        served.wait_for_line("door: running")
        served.path.write_text(text + '[cameras.gate]\nurl = ["a"]\n')
        served.process.send_signal(signal.SIGHUP)
        served.wait_for_line(
            "cameras.gate.url is a list, which is not shown here; it must be text; nothing was changed"
        )
        served.path.write_text(text + f'[cameras.gate]\nurl = "{server.url("live")}"\n')
        served.process.send_signal(signal.SIGHUP)
        served.wait_for_line("cameras: added gate")
        served.wait_for_line("gate: running")
        served.path.write_text(text)
        served.process.send_signal(signal.SIGHUP)
        served.wait_for_line("gate: ended")
        assert served.log.count("door: opening") == 1
        assert served.stop()[0] == 0


def test_systemd_is_notified_when_it_is_ready_works_reloads_and_stops(
    tmp_path: Path, tiny_bundle: Path, server: RtspServer
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "JOURNAL_STREAM": "1:2"}
        with ServedSite(tmp_path, site(tiny_bundle, server.url("live")), environment=environment) as served:
            received = [systemd.recv(4096)]
            assert received[0].startswith(b"READY=1\nSTATUS=cameras: ")
            while b"WATCHDOG=1\nSTATUS=cameras: 1 running" not in received:
                received.append(systemd.recv(4096))
            served.process.send_signal(signal.SIGHUP)
            while not received[-1].startswith(b"RELOADING=1\nMONOTONIC_USEC="):
                received.append(systemd.recv(4096))
            assert systemd.recv(4096).startswith(b"READY=1\n")
            assert served.stop()[0] == 0
            while received[-1] != b"STOPPING=1":
                received.append(systemd.recv(4096))
            assert all(line.startswith("<") for line in served.log.splitlines()), served.log


def test_a_file_plays_as_a_camera_at_its_own_speed(tmp_path: Path, tiny_bundle: Path) -> None:
    path = clip(tmp_path / "action.mp4", ACTION[32:160])
    with ServedSite(tmp_path, site(tiny_bundle, path.name)) as served:
        served.wait_for_line("door: ended")
        assert served.stop()[0] == 0
        require_all_final(served)
        first, *_, last = served.events()
        assert last["kind"] == "final"
        assert last["wall"] - first["wall"] > 0.8 * (last["at"] - first["at"]) > 0.5


def test_it_goes_on_where_no_output_is_left(tmp_path: Path, tiny_bundle: Path, long_video: Path) -> None:
    """The disk may have room again, and then the output is opened again."""
    text = f"""
[site]
bundle = "{tiny_bundle}"
[cameras.door]
url = "{long_video.name}"
[outputs.full]
kind = "json"
path = "/dev/full"
"""
    with ServedSite(tmp_path, text) as served:
        served.wait_for_line("error: /dev/full: cannot be written (No space left on device)")
        assert served.stop()[0] == 0


def test_two_do_not_share_a_state_folder(tmp_path: Path, tiny_bundle: Path) -> None:
    text = site(tiny_bundle, "rtsp://127.0.0.1:1/live")
    with ServedSite(tmp_path, text) as first:
        first.wait_for_line("door: opening")
        (tmp_path / "other").mkdir()
        with ServedSite(tmp_path / "other", text, environment={"CMSN_STATE_DIR": str(first.state)}) as second:
            assert second.process.wait(60) == 1
            assert "another cmsn serve uses this folder" in second.log


def test_a_file_that_is_at_fault_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("[site]\nthread = 1\n")
    done = cmsn_process("serve", tmp_path / "site.toml")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "site holds 'thread', which is unknown; its fields are name, bundle, backend, threads" in line


def test_a_lost_camera_comes_back_and_nothing_is_lost_or_doubled(
    tmp_path: Path, tiny_bundle: Path, server: RtspServer
) -> None:
    with ChaosProxy(server.port) as proxy:
        url = server.url("live", port=proxy.port)
        with ServedSite(tmp_path, site(tiny_bundle, url, stall_seconds=2.0)) as served:
            served.wait_for(lambda: "provisional" in served.kinds())
            proxy.reset()
            served.wait_for(lambda: "source_back" in served.kinds())
            served.wait_for(lambda: "provisional" in served.kinds()[served.kinds().index("source_back") :])
            assert served.stop()[0] == 0
            require_all_final(served)


def test_its_captures_end_with_it_even_when_it_is_killed(tmp_path: Path, tiny_bundle: Path, server: RtspServer) -> None:
    with ServedSite(tmp_path, site(tiny_bundle, server.url("live"))) as served:
        served.wait_for_line("door: running")
        tasks = Path(f"/proc/{served.process.pid}/task").iterdir()
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        assert children
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
