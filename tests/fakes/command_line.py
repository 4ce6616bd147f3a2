"""`cmsn` run from the outside, and videos for the tiny bundle of tests/runtime."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

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


def cmsn(
    *arguments: str | Path, environment: dict[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(*arguments),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **(environment or {})},
    )


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


def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """A run that has reported its first event on standard output. options: of Popen.

    Its pipes hold 4 KiB: until they are read it waits, and cannot have ended before a test sends it a signal.
    """
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pipesize=4096, **options
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["kind"] == "provisional"
    return process


def finals(lines: str) -> list[dict[str, Any]]:
    """The final events among JSON lines."""
    events = [json.loads(line) for line in lines.splitlines()]
    return [event for event in events if event["kind"] == "final"]
