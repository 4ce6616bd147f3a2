"""What a capture process does before anything else: it learns its task, and binds its life to whoever started it.

It imports the standard library alone, like protocol.py, and for the same reason.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any, BinaryIO

_PR_SET_PDEATHSIG = 1


def begin() -> tuple[dict[str, Any], BinaryIO]:
    """The task, and the file that messages are written to.

    The task is JSON on the descriptor whose number is the only argument: addresses hold passwords, and every process
    of a machine can read command lines. `parent` is the process that started this one, with whose thread it ends;
    `environment` its variables, which this one was started without (they can be read as well).

    Signals that end the whole group or the terminal's programs are left to the parent, which still has events to
    settle. Standard output is the messages' alone: what a library prints goes to standard error.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as file:
        task = json.load(file)
    if os.getppid() != task["parent"]:  # it ended before prctl
        sys.exit(1)
    os.environ.update(task["environment"])
    messages = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return task, messages
