"""What the server answers, and how it begins and ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import av
import pytest
from served_page import STEP_SECONDS, TOKEN, FakeFleet, Reader, Served, event, frame, saving_clips, served, status
from waiting import settle_seconds, wait_for

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.live.status import CameraStatus
from cmsn_runtime.secrets import Secret
from cmsn_runtime.serving.server import start_web
from cmsn_runtime.serving.settings import WebSettings
from cmsn_runtime.serving.sink import PageSink


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


MANY = 20_000  # messages: more than the buffers of a connection take


@pytest.fixture(scope="module")
def clips_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page over a folder in which there are other things than clips, and beside which there is a secret."""
    above = tmp_path_factory.mktemp("above")
    folder = above / "clips"
    (folder / "door.clip.mp4").mkdir(parents=True)
    (above / "secret.clip.mp4").write_text("secret")
    for name in ("other.mp4", "a.clip.json", ".hidden.clip.mp4"):
        (folder / name).write_text("secret")
    (folder / "link.clip.mp4").symlink_to(above / "secret.clip.mp4")
    with served(outputs=saving_clips(folder)) as page:
        yield page


def test_the_newest_picture_of_a_camera_is_a_jpeg() -> None:
    with served(status("front door/1")) as page:
        path = f"/cameras/{quote('front door/1', safe='')}.jpg"
        assert page.ask(path).status == 404
        page.sink.picture("front door/1", frame(10))
        page.sink.picture("front door/1", frame(250))
        answer = page.ask(path)
    assert answer.headers["content-type"] == "image/jpeg"
    packet = av.Packet(answer.body)
    [picture] = av.CodecContext.create("mjpeg", "r").decode(packet)
    assert picture.to_ndarray(format="rgb24")[:, :70, 0].mean() == pytest.approx(250, abs=6)


def test_readers_get_all_there_is_and_then_what_happens() -> None:
    with served(status()) as page:
        page.sink.event("door", event("provisional", score=0.4))
        wait_for(lambda: bool(page.ask("/api/cameras").json))
        reader = Reader(page.port)
        snapshot = reader.next("snapshot")
        page.sink.event("door", event("final"))
        page.sink.picture("door", frame())
        news = reader.next("event")["event"]
        picture = reader.next("picture")
        states = reader.next("cameras")["cameras"]
        reader.close()
    assert reader.answer.headers["content-type"].startswith("text/event-stream")
    assert isinstance(snapshot["events"], list) and isinstance(news, dict) and isinstance(states, list)
    assert [row["kind"] for row in snapshot["events"]] == ["provisional"]
    assert (news["kind"], news["id"]) == ("final", snapshot["events"][0]["id"])
    assert picture == {"type": "picture", "camera": "door", "number": 1}
    assert states[0]["name"] == "door"


def test_cameras_are_listed_for_programs() -> None:
    with served(status("a"), status("b", state="lost", reason="no frame for 5 s")) as page:
        wait_for(lambda: bool(page.ask("/api/cameras").json))
        found = page.ask("/api/cameras").json
    assert [(each["name"], each["state"], each["reason"]) for each in found] == [
        ("a", "running", ""),
        ("b", "lost", "no frame for 5 s"),
    ]


def test_clips_are_played_from_any_place(tmp_path: Path) -> None:
    (tmp_path / "1 a.clip.mp4").write_bytes(bytes(range(200)))
    with served(outputs=saving_clips(tmp_path)) as page:
        whole = page.ask("/clips/1%20a.clip.mp4")
        part = page.ask("/clips/1%20a.clip.mp4", Range="bytes=50-99")
    assert (whole.status, whole.headers["content-type"], len(whole.body)) == (200, "video/mp4", 200)
    assert (part.status, part.body) == (206, bytes(range(50, 100)))
    assert part.headers["content-range"] == "bytes 50-99/200"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.clip.mp4",
        "..%2fsecret.clip.mp4",
        "%2e%2e/secret.clip.mp4",
        "door.clip.mp4/../../secret.clip.mp4",
        "..%5csecret.clip.mp4",
        "link.clip.mp4",
        "%00.clip.mp4",
        "/etc/hosts",
        "//etc/hosts",
        "other.mp4",
        "a.clip.json",
        ".hidden.clip.mp4",
        "door.clip.mp4",
        "",
        "x" * 5000 + ".clip.mp4",
    ],
)
def test_nothing_but_clips_in_their_folder_is_served(clips_page: Served, path: str) -> None:
    answer = clips_page.ask(f"/clips/{path}")
    assert answer.status == 404 and b"secret" not in answer.body


@pytest.mark.parametrize("path", ["../server.py", "..%2fserver.py", "%2e%2e%2fserver.py", "x.py", "", "index.html/x"])
def test_nothing_but_the_files_of_the_page_is_static(clips_page: Served, path: str) -> None:
    assert clips_page.ask(f"/static/{path}").status == 404


def test_a_reader_that_stands_still_is_dropped_and_the_others_get_everything() -> None:
    with served(status()) as page:
        still = socket.socket()
        still.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        still.connect(("127.0.0.1", page.port))
        still.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: page.sink.feed.readers == 1)
        reader = Reader(page.port)
        seen: list[object] = []

        def read() -> None:
            while len(seen) < MANY:
                seen.append(reader.next("picture")["number"])

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        picture = frame()
        for number in range(MANY):
            page.sink.picture("door", picture)
            if number % 100 == 0:
                wait_for(lambda sent=number: len(seen) > sent - 200)  # type: ignore[misc]
        thread.join(30)
        assert seen == list(range(1, MANY + 1))
        assert (page.sink.feed.dropped, page.sink.feed.readers) == (1, 1)
        reader.close()
        still.close()


def test_a_reader_that_leaves_is_forgotten() -> None:
    with served(status()) as page:
        reader = Reader(page.port)
        reader.next("snapshot")
        assert page.sink.feed.readers == 1
        reader.close()
        wait_for(lambda: page.sink.feed.readers == 0)


def test_it_ends_within_a_second_whoever_is_reading() -> None:
    before = set(threading.enumerate())
    with served(status()) as page:
        readers = [Reader(page.port) for _ in range(3)]
        readers[0].next("snapshot")
        still = socket.create_connection(("127.0.0.1", page.port))
        still.sendall(b"GET / HTTP/1.1\r\nHost: lo")
        begin = time.monotonic()
        page.web.close()
        assert time.monotonic() - begin < settle_seconds()
        page.web.close()
        for each in readers:
            each.close()
        still.close()
    assert not [each.name for each in set(threading.enumerate()) - before if each.name in ("cmsn-web", "cmsn-watch")]


def test_after_its_end_its_port_is_free_at_once() -> None:
    with served() as page:
        page.ask("/")
    fleet, sink = FakeFleet(), PageSink(step_seconds=STEP_SECONDS)
    with start_web(WebSettings(port=page.port), fleet, sink) as web:
        assert web.url == page.url


def test_a_port_in_use_is_reported_in_one_line_that_says_what_to_do() -> None:
    with served() as page, pytest.raises(SettingsError) as caught:
        start_web(WebSettings(port=page.port), FakeFleet(), PageSink(step_seconds=STEP_SECONDS))
    message = str(caught.value)
    assert f"127.0.0.1:{page.port}" in message and "another port in [web]" in message and "\n" not in message


def test_a_host_that_does_not_exist_is_reported() -> None:
    settings = WebSettings(host="no-such-host.invalid", token=Secret(TOKEN))
    with pytest.raises(SettingsError, match="another host"):
        start_web(settings, FakeFleet(), PageSink(step_seconds=STEP_SECONDS))


def test_hooks_do_not_wait_and_work_after_the_end() -> None:
    with served(status()) as page:
        pass
    page.sink.event("door", event())
    page.sink.picture("door", frame())


@pytest.mark.parametrize("fault", ["hangs", "fails", "lags", "idles"])
def test_health_is_bad_when_the_cameras_are_not_processed(fault: str) -> None:
    held = threading.Event()

    class Stuck(FakeFleet):
        def statuses(self) -> list[CameraStatus]:
            if fault == "hangs":
                held.wait(20)
            if fault == "fails":
                raise RuntimeError
            return super().statuses()

        @property
        def idle_seconds(self) -> float:
            return 9.0 if fault == "idles" else 0.0

    waiting = status(waiting=5, lag_seconds=9.0) if fault == "lags" else status()
    sink = PageSink(step_seconds=STEP_SECONDS)
    with start_web(WebSettings(port=0), Stuck(waiting), sink, stuck_seconds=0.5) as web:
        page = Served(web, sink, FakeFleet())
        wait_for(lambda: page.ask("/healthz").status == 503)
        answer = page.ask("/healthz").json
        held.set()
    assert answer["ok"] is False and answer["fault"]


def test_health_is_good_while_cameras_are_lost() -> None:
    with served(status(state="lost", reason="gone"), status("b", state="ended")) as page:
        wait_for(lambda: bool(page.ask("/healthz").json["cameras"]))
        answer = page.ask("/healthz")
    assert answer.status == 200 and answer.json["cameras"]["door"]["state"] == "lost"


def test_files_and_memory_are_as_before_after_many_readers() -> None:
    with served(status()) as page:
        page.ask("/")
        before = descriptors()
        for _ in range(30):
            reader = Reader(page.port)
            reader.next("snapshot")
            reader.close()
        wait_for(lambda: page.sink.feed.readers == 0 and descriptors() <= before + 1)


def test_alternatives_of_an_action_are_not_shown() -> None:
    with served(status()) as page:
        page.sink.event("door", event(rank=2))
        reader = Reader(page.port)
        assert reader.next("snapshot")["events"] == []
        reader.close()
