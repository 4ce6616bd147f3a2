"""`cmsn serve` as a process of its own, over a site file that a test writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waiting import text_so_far

from cmsn_runtime.closing import Closing


class ServedSite(Closing):
    """Runs from creation on. folder: gets site.toml, the state and the log. environment: more variables."""

    def __init__(self, folder: Path, text: str, *, environment: dict[str, str] | None = None) -> None:
        self.state = folder / "state"
        self.path = folder / "site.toml"
        self.path.write_text(text)
        self.path.chmod(0o600)
        self._log = folder / "log.txt"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cmsn_runtime", "serve", str(self.path)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "CMSN_STATE_DIR": str(self.state), **(environment or {})},
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """Everything that was printed."""
        return self._log.read_text()

    def events(self, file: str = "events.jsonl") -> list[dict[str, Any]]:
        """What is in an output of JSON lines."""
        return [json.loads(line) for line in text_so_far(self.state / file).splitlines()]

    def kinds(self) -> list[str]:
        """Kinds of the events."""
        return [event["kind"] for event in self.events()]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Events of that kind."""
        return [event for event in self.events() if event["kind"] == kind]

    def wait_for(self, condition: Callable[[], object], *, seconds: float = 60.0) -> None:
        """Return when it holds; fail where it does not, or where the process ends."""
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, f"waited in vain: {self.log}"
            time.sleep(0.02)

    def wait_for_line(self, text: str) -> None:
        """Wait until the log has it."""
        self.wait_for(lambda: text in self.log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end -> its exit status, and how many seconds it took."""
        asked = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(30), time.monotonic() - asked

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
