"""NVIDIA's tritonserver as a process, with a stand-in for its ONNX Runtime backend; see scripts/make-triton."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cmsn_runtime.closing import Closing

PLACE = Path(os.environ.get("CMSN_TRITON", Path(sys.prefix) / "triton"))


class TritonServer(Closing):
    """Serves a model repository on a free port, or on the one of a server that was killed before."""

    def __init__(self, repository: Path, log: Path, *, port: int | None = None) -> None:
        program = PLACE / "tritonserver"
        if not program.exists():
            pytest.skip(f"needs tritonserver: scripts/make-triton {PLACE}")
        self.port = port or _free_port()
        self._log = log
        command = [
            str(program),
            f"--model-repository={repository}",
            "--http-address=127.0.0.1",
            f"--http-port={self.port}",
        ]
        with log.open("ab") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        self._wait_until_ready()

    @property
    def backend(self) -> str:
        """Its name for `--backend`."""
        return f"triton://127.0.0.1:{self.port}"

    def statistics(self, model: str) -> Any:
        """Of a model, as Triton counts them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/models/{model}/stats") as answer:
            return json.load(answer)["model_stats"][0]

    def largest_batch(self, model: str) -> int:
        """Requests of the largest batch that the model has run."""
        return int(max(item["batch_size"] for item in self.statistics(model)["batch_stats"]))

    def kill(self) -> None:
        """End it at once, as a power failure does."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> float:
        """Ask it to end -> seconds that it took."""
        asked = time.monotonic()
        self._process.terminate()
        self._process.wait(60)
        return time.monotonic() - asked

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self.kill()

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/health/ready"):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self._log.read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
