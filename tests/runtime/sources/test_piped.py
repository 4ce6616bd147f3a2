"""Standard input and named pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from clips import pictures, read, write_clip

from cmsn_runtime.errors import SourceError, SourceWarning
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.pipes import PipeReader

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")

COUNT = """
import sys
from cmsn_runtime.errors import CmsnError
from cmsn_runtime.sources.opening import open_source
try:
    print("opening", file=sys.stderr, flush=True)
    with open_source(sys.argv[1]) as source:
        print(source.name, len(list(source)))
except CmsnError as error:
    print(error)
except KeyboardInterrupt:
    print("interrupted")
"""


def reader(address: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COUNT, address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.ts", pictures(30))


@pytest.mark.parametrize("address", ["-", "pipe:0", "pipe:", "/dev/stdin"])
def test_a_video_can_be_piped_in(clip: Path, address: str) -> None:
    with subprocess.Popen(["cat", str(clip)], stdout=subprocess.PIPE) as sender:
        output, _ = reader(address, stdin=sender.stdout).communicate(timeout=60)
    assert output == "stdin 30\n"


def test_a_file_as_standard_input_can_be_seeked(tmp_path: Path) -> None:
    """An MP4 with its index at the end."""
    with write_clip(tmp_path / "a.mp4", pictures(30)).open("rb") as file:
        output, _ = reader("-", stdin=file).communicate(timeout=60)
    assert output == "stdin 30\n"


def test_an_mp4_through_a_pipe_is_refused_with_what_to_do(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    clip = write_clip(tmp_path / "a.mp4", [noise.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(50)])
    with subprocess.Popen(["cat", str(clip)], stdout=subprocess.PIPE) as sender:
        output, _ = reader("-", stdin=sender.stdout).communicate(timeout=60)
    assert "pipe MPEG-TS or Matroska" in output


def test_standard_input_that_is_closed_is_refused() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -c '{COUNT}' - <&-"], capture_output=True, text=True, check=False, timeout=60
    )
    assert "standard input is closed" in done.stdout


def test_a_terminal_as_standard_input_is_refused() -> None:
    ours, theirs = os.openpty()
    try:
        output, _ = reader("-", stdin=theirs).communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "standard input is a terminal" in output


def test_a_named_pipe_is_read_when_its_writer_comes(clip: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    writer.start()
    assert len(read(pipe)) == 30
    writer.join()


@pytest.mark.parametrize("content", [b"", "half"])
def test_ctrl_c_ends_the_wait_for_a_silent_pipe(clip: Path, tmp_path: Path, content: bytes | str) -> None:
    """While it is opened, and in mid-stream."""
    data = clip.read_bytes() * 20 if content == "half" else b""
    receiver = reader("-", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    stdin = receiver.stdin.buffer  # type: ignore[union-attr]
    stdin.write(data)
    stdin.flush()
    assert receiver.stderr is not None and receiver.stderr.readline() == "opening\n"
    time.sleep(2)  # until it waits for data; a signal that comes earlier must end it too
    receiver.send_signal(signal.SIGINT)
    began = time.monotonic()
    output, _ = receiver.communicate(timeout=60)
    assert output == "interrupted\n"
    assert time.monotonic() - began < 30  # once it waited for as long as the pipe was open


def test_a_silent_pipe_is_waited_for_and_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmsn_runtime.sources.pipes._SILENCE_MS", 20)
    reading, writing = os.pipe()
    pipe = PipeReader(reading, name="door")
    later = threading.Timer(0.2, lambda: os.write(writing, b"late"))
    later.start()
    with pytest.warns(SourceWarning, match="door: nothing came") as caught:
        assert pipe.read(100) == b"late"
    assert len(caught) == 1
    os.close(writing)
    assert pipe.read(100) == b""
    pipe.close()
    pipe.close()


def test_a_pipe_that_must_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SourceError, match=r"pipe: cannot be opened: Permission denied; check who may read it"):
        open_source(pipe)
