"""What keeps one waiting is read in another thread, and a signal need not wait for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ACTION, clip, command, finals, first_line, wait_until_idle

from cmsn_runtime.reading import Reader, patiently

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")


def test_items_come_in_their_order_and_errors_after_them() -> None:
    def numbers() -> Iterator[int]:
        yield from range(100)
        raise ValueError("broke")

    got: list[int] = []
    with pytest.raises(ValueError, match="broke"), Reader(numbers()) as reader:
        for number in reader:
            got.append(number)
    assert got == list(range(100))


def test_one_item_is_read_ahead_and_no_more() -> None:
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    before = set(threading.enumerate())  # a camera of another test may still be waiting
    with Reader(numbers()) as reader:
        items = iter(reader)
        for number in range(5):
            assert next(items) == number
            time.sleep(0.02)
            assert len(asked) <= number + 3
    assert len(asked) < 10
    assert set(threading.enumerate()) <= before


def test_a_long_wait_can_be_interrupted() -> None:
    waiting = threading.Event()

    def wait() -> None:
        waiting.wait(60)

    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        patiently(wait)
    waiting.set()
    timer.join()


def test_a_result_and_an_error_come_back() -> None:
    def fail() -> None:
        raise KeyError("x")

    assert patiently(lambda: 3) == 3
    with pytest.raises(KeyError):
        patiently(fail)


@pytest.fixture
def camera() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def address(camera: socket.socket) -> str:
    return f"tcp://127.0.0.1:{camera.getsockname()[1]}"


def test_a_signal_ends_a_run_whose_camera_has_fallen_silent(
    camera: socket.socket, tiny_bundle: Path, tmp_path: Path
) -> None:
    results = tmp_path / "r.json"
    words = command("run", address(camera), "--bundle", tiny_bundle, "--results", results)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    connection, _ = camera.accept()
    with connection:
        connection.sendall(clip(tmp_path / "a.ts", ACTION).read_bytes())
        first = first_line(process)
        wait_until_idle(process)  # all of it is read, and there is nothing more
        process.send_signal(signal.SIGTERM)
        lines, errors = process.communicate(timeout=15)  # FFmpeg would wait for 20
    assert process.returncode == 143, errors
    assert "stopped by SIGTERM at 7." in errors
    (written,) = json.loads(results.read_text())["results"].values()
    assert len(written) == len(finals(first + lines)) > 0


@pytest.mark.parametrize("kind", ["a camera that says nothing", "a pipe without a writer", "standard input"])
def test_a_signal_ends_a_run_that_waits_for_its_source(
    camera: socket.socket, tiny_bundle: Path, tmp_path: Path, kind: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    source = {"a camera that says nothing": address(camera), "a pipe without a writer": str(tmp_path / "pipe")}
    process = subprocess.Popen(
        command("run", source.get(kind, "-"), "--bundle", tiny_bundle),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until_idle(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=15)
    assert (process.returncode, len(errors.splitlines())) == (130, 1), errors
