"""`cmsn` run from the outside, and videos for the tiny bundle of tests/runtime."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import numpy as np

from cmsn_runtime.cli import run_command_line

# Red, green, blue, red: one action for the tiny bundle, from 64 to 128 frames.
ACTION = [(255, 0, 0)] * 64 + [(0, 255, 0)] * 32 + [(0, 0, 255)] * 32 + [(255, 0, 0)] * 96
FPS = Fraction(30000, 1001)  # the tiny bundle's rate


def clip(path: Path, colours: Sequence[tuple[int, int, int]]) -> Path:
    """A video of one colour per frame."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for colour in colours:
            picture = np.full((48, 64, 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def command(*arguments: str | Path) -> list[str | Path]:
    """The words that run cmsn in a process of its own."""
    return [sys.executable, "-m", "cmsn_runtime", *arguments]


def cmsn(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it to its end within this process, which has imported and compiled everything already."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        with _redirected(1, out), _redirected(2, errors):
            status = run_command_line(words)
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(words, status, *texts)


def cmsn_process(
    *arguments: str | Path, environment: dict[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run it to its end in a process of its own. environment: more variables."""
    return subprocess.run(
        command(*arguments),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **(environment or {})},
    )


@contextmanager
def _redirected(descriptor: int, file: IO[bytes]) -> Iterator[None]:
    """Let standard output (1) or standard error (2) go to a file: the descriptor, and Python's text over it."""
    name = {1: "stdout", 2: "stderr"}[descriptor]
    text = getattr(sys, name)
    text.flush()
    before = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    with open(descriptor, "w", encoding="utf-8", closefd=False) as replaced:
        setattr(sys, name, replaced)
        try:
            yield
        finally:
            setattr(sys, name, text)
            replaced.flush()
            os.dup2(before, descriptor)
            os.close(before)


def at_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Run it with a terminal for stdin, stdout and stderr -> exit status, and all that the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how Linux reports that the other side of a terminal is closed
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    return process.wait(timeout=60), shown.decode()


def shell(script: str, **paths: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $CMSN is the command, and each of `paths` is a variable."""
    variables = {name: str(path) for name, path in paths.items()}
    return subprocess.run(
        ["bash", "-c", f'cmsn() {{ "{sys.executable}" -m cmsn_runtime "$@"; }}\n{script}'],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **variables},
    )


def start(*arguments: str | Path, kind: str = "provisional", **options: Any) -> subprocess.Popen[str]:
    """A run that has reported its first event, of that kind, on standard output. options: of Popen.

    Its pipes hold 4 KiB: until they are read it waits, and cannot have ended before a test sends it a signal.
    """
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pipesize=4096, **options
    )
    assert json.loads(first_line(process))["kind"] == kind
    return process


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line of its output, and no more: `readline` might take more, which `communicate` would miss."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(process.stdout.fileno(), 1)
    return line.decode()


def finals(lines: str) -> list[dict[str, Any]]:
    """The final events among JSON lines."""
    events = [json.loads(line) for line in lines.splitlines()]
    return [event for event in events if event["kind"] == "final"]


def wait_until_idle(process: subprocess.Popen[str], *, seconds: float = 0.5) -> None:
    """Return when it has used no CPU for a while, however slow the machine is: it waits for something, or has ended."""
    spent, since = -1, time.monotonic()
    while process.poll() is None and time.monotonic() - since < seconds:
        # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the state, and user and system ticks.
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        now = int(fields[11]) + int(fields[12])
        if now > spent + 1 or fields[0] != "S":  # waiting with a time limit costs a tick now and then
            spent, since = now, time.monotonic()
        time.sleep(0.01)
