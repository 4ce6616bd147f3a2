"""One capture process: started with its task, read, and killed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from cmsn_runtime.closing import Closing

# Variables that a process needs before it reads its task; it gets the others, which may hold passwords, with that.
_NEEDED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
_PIPE_BYTES = 1 << 20
_REAP_SECONDS = 0.5

PYAV: Sequence[str] = (sys.executable, "-m", "cmsn_runtime.capture.child")


class CaptureProcess(Closing):
    """Runs `command`, whose last argument becomes the descriptor of its task; see process_setup.

    stdin: whether it reads this process's standard input. Raises OSError where it cannot be started.
    """

    def __init__(self, command: Sequence[str], task: Mapping[str, object], *, stdin: bool = False) -> None:
        read_end, write_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*command, str(read_end)],
                stdin=None if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libraries print may hold the address
                env=needed_environment(),
                pass_fds=[read_end],
                start_new_session=True,  # a terminal's Ctrl-C is not for it
                bufsize=0,
            )
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        assert self._process.stdout is not None
        self.descriptor = self._process.stdout.fileno()
        os.set_blocking(self.descriptor, False)  # a process that is stopped within a message must not stop this one
        with suppress(OSError):  # more than a user without privileges may have; smaller pipes work as well
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        _send(write_end, {**task, "parent": os.getpid(), "environment": dict(os.environ)})

    def read(self, room: memoryview) -> int | None:
        """Read what has come into `room` -> how many bytes; 0 at its end, None where nothing is there. Never waits."""
        try:
            return os.readv(self.descriptor, [room])
        except BlockingIOError:
            return None

    def status(self) -> str:
        """How it ended, once nothing more can be read."""
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_REAP_SECONDS)
            return f"status {code}" if code >= 0 else f"signal {-code}"
        return "no status"

    def close(self) -> None:
        """Kill it. May be called twice."""
        self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        with suppress(subprocess.TimeoutExpired):  # a driver may keep it a while; Popen reaps it later
            self._process.wait(_REAP_SECONDS)


def needed_environment() -> dict[str, str]:
    """Variables of this process that another can be started with: none of them holds a password."""
    return {name: os.environ[name] for name in _NEEDED if name in os.environ}


def _send(descriptor: int, task: Mapping[str, object]) -> None:
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(task).encode())
