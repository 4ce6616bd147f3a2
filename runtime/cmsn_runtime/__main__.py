"""`cmsn`, and `python -m cmsn_runtime`: signals are handled before anything else is imported."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from cmsn_runtime.stopping import stoppable


def main() -> None:
    """Run the command line and exit."""
    status = stoppable(_work)
    # The work is done: a Ctrl-C while the interpreter shuts down must not change the exit status.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.argv[1:2] == ["serve"]:
        _leave(status)
    sys.exit(status)


def _leave(status: int) -> None:
    """End at once: all is written and closed, and taking the interpreter apart would take a slow device a second more
    than the two that are promised.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, by us or by the shell
            stream.flush()
    os._exit(status)


def _work() -> int:
    from cmsn_runtime.cli import run_command_line

    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    main()
