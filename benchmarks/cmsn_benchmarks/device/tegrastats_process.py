"""Runs tegrastats for as long as something is measured, and keeps its latest line."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable

from cmsn_benchmarks.device.reading import Reading
from cmsn_benchmarks.device.tegrastats import reading_of
from cmsn_runtime.closing import Closing

PROGRAM = "tegrastats"


class Tegrastats(Closing):
    """One process from its creation until it is closed. It sleeps between its lines.

    Where this process is killed, the next line finds no reader, and ends tegrastats with SIGPIPE.
    interval: milliseconds between two lines.
    """

    def __init__(self, interval: int) -> None:
        self._latest: Reading | None = None
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                [PROGRAM, "--interval", str(interval)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C"},
                encoding="utf-8",
                errors="replace",
            )
        except OSError:  # no Jetson, or a container without it
            return
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Whether lines may still come."""
        return self._process is not None and self._process.poll() is None

    def latest(self) -> Reading | None:
        """What the latest line said; None before the first one."""
        return self._latest

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._latest = reading_of(line)
