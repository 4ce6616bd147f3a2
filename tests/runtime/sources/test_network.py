"""Sources on a network: what has no time, no end, or a secret in its address."""

from __future__ import annotations

import http.server
import shutil
import socket
import time
import traceback
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import number_of, numbered, read, write_clip
from http_server import Answer, serving

from cmsn_runtime.errors import SourceError, SourceWarning
from cmsn_runtime.sources.opening import SourceOptions, open_source

QUICK = SourceOptions(demuxer={"m3u8_hold_counters": "3"})  # few reloads: nothing new will come


def files_of(folder: Path, *, lengths: bool = True) -> Answer:
    """Files by their names. lengths: say how long each is; some servers close the connection instead."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        path = folder / request.path.lstrip("/").partition("?")[0]
        request.send_response(200 if path.is_file() else 404)
        if lengths and path.is_file():
            request.send_header("Content-Length", str(path.stat().st_size))
        request.end_headers()
        if path.is_file():
            with path.open("rb") as file:
                shutil.copyfileobj(file, request.wfile)

    return answer


def camera(pauses: list[float], pictures: list[bytes], *, last_boundary: bool = True) -> Answer:
    """Multipart MJPEG: each picture after its pause."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        request.end_headers()
        for pause, data in zip(pauses, pictures, strict=True):
            time.sleep(pause)
            head = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
            request.wfile.write(head + data + b"\r\n")
            request.wfile.flush()
        if last_boundary:
            request.wfile.write(b"--b--\r\n")

    return answer


def jpegs(count: int) -> list[bytes]:
    """Numbered pictures, as large as those of a camera: FFmpeg reads some kilobytes before it knows the format."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 640, 480, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    grain = np.random.default_rng(0).integers(-15, 15, (480, 640, 3))
    shown = ((grain + 20 + 10 * number).clip(0, 255).astype(np.uint8) for number in range(count))
    frames = (av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in shown)
    return [bytes(packet) for frame in frames for packet in encoder.encode(frame)]


@pytest.mark.parametrize("last_boundary", [True, False])
def test_a_camera_without_timestamps_is_timed_by_arrival_and_may_end(last_boundary: bool) -> None:
    """Six pictures in 1.5 s, the last after a second: FFmpeg would have them 0.04 s apart."""
    pauses = [0, 0.1, 0.1, 0.1, 0.1, 1.0]
    with serving(camera(pauses, jpegs(6), last_boundary=last_boundary)) as address, open_source(address) as source:
        assert source.live
        assert source.duration is None
        frames = list(source)
    assert [number_of(frame) for frame in frames] == list(range(6))
    assert frames[0].seconds == 0
    assert frames[-1].seconds - frames[-2].seconds > Fraction(6, 10)
    assert frames[-2].seconds > Fraction(25, 100)


def test_a_given_rate_overrides_arrival_times() -> None:
    with serving(camera([0] * 4, jpegs(4))) as address:
        assert [frame.seconds for frame in read(address, fps=Fraction(5))] == [Fraction(n, 5) for n in range(4)]


@pytest.mark.parametrize("lengths", [True, False])
def test_a_file_over_http_is_no_live_source(tmp_path: Path, lengths: bool) -> None:
    write_clip(tmp_path / "a.mp4", numbered(10), muxing={"movflags": "faststart"})
    with serving(files_of(tmp_path, lengths=lengths)) as address, open_source(f"{address}/a.mp4") as source:
        assert not source.live
        assert source.duration == Fraction(2, 5)
        assert len(list(source)) == 10


@pytest.fixture
def playlist(tmp_path: Path) -> Path:
    """Ten segments of a second."""
    options = {"g": "5", "keyint_min": "5", "sc_threshold": "0"}
    muxing = {"hls_time": "1", "hls_list_size": "0"}
    return write_clip(
        tmp_path / "v.m3u8", numbered(20) + numbered(20) + numbered(10), rate=5, options=options, muxing=muxing
    )


def without_end(playlist: Path, *, event: bool = False) -> Path:
    text = playlist.read_text().replace("#EXT-X-ENDLIST\n", "")
    kind = "#EXT-X-PLAYLIST-TYPE:EVENT\n" if event else ""
    path = playlist.with_name("open.m3u8")
    path.write_text(text.replace("#EXT-X-TARGETDURATION", f"{kind}#EXT-X-TARGETDURATION"))
    return path


def test_a_playlist_on_disk_without_an_end_mark_is_read_whole(playlist: Path) -> None:
    whole = [frame.seconds for frame in read(playlist)]
    assert len(whole) == 50
    path = without_end(playlist)
    with pytest.warns(SourceWarning, match="no end mark"):
        assert [frame.seconds for frame in read(path)] == whole


@pytest.mark.filterwarnings("ignore:.*no end mark")  # FFmpeg 9 gives events a duration, as if they had one
def test_an_event_playlist_over_http_is_read_from_its_first_segment(playlist: Path) -> None:
    without_end(playlist, event=True)
    with serving(files_of(playlist.parent)) as address, open_source(f"{address}/open.m3u8", options=QUICK) as source:
        assert len(list(source)) == 50


def test_on_a_network_a_playlist_that_slides_is_joined_near_its_end(playlist: Path) -> None:
    """Three segments before, as players do."""
    without_end(playlist)
    with serving(files_of(playlist.parent)) as address, open_source(f"{address}/open.m3u8", options=QUICK) as source:
        assert source.live
        with pytest.warns(SourceWarning, match="no end mark"):
            assert len(list(source)) == 15


def test_no_secret_is_left_in_an_error_or_its_causes() -> None:
    with socket.socket() as closed:  # bound, and not listening
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
        for address in (
            f"rtsp://guard:s3cret@{place}/door",
            f"http://guard:s3cr/et@{place}/door",
            f"http://{place}/door?password=s3cret&token=t0ken",
            f"http://{place}/user=guard&password=s3cret&channel=1",
        ):
            with pytest.raises(SourceError, match="cannot be opened") as caught:
                open_source(address)
            shown = "".join(traceback.format_exception(caught.value))
            for secret in ("guard", "s3cr", "t0ken"):
                assert not any(secret in text for line in shown.splitlines() if "Error" in line for text in (line,)), (
                    address
                )
            assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_the_error_of_a_server_is_passed_on(tmp_path: Path) -> None:
    with serving(files_of(tmp_path)) as address, pytest.raises(SourceError, match=r"404.*check the path"):
        open_source(f"{address}/missing.mp4")


def test_a_live_source_that_breaks_is_not_called_damaged(tmp_path: Path) -> None:
    """The server goes away within a segment of declared length."""
    clip = write_clip(
        tmp_path / "a.ts", [np.random.default_rng(n).integers(0, 256, (48, 64, 3), np.uint8) for n in range(90)]
    )
    data = clip.read_bytes()

    def half(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"%x\r\n" % len(data) + data[: len(data) // 2])

    with serving(half) as address, open_source(address) as source:
        assert source.live
        assert len(list(source)) > 10
