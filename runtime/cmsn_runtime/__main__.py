"""`cmsn`, and `python -m cmsn_runtime`: signals are handled before anything else is imported."""

from __future__ import annotations

import signal
import sys

from cmsn_runtime.stopping import stoppable


def main() -> None:
    """Run the command line and exit."""
    status = stoppable(_work)
    # The work is done: a Ctrl-C while the interpreter shuts down must not change the exit status.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status)


def _work() -> int:
    from cmsn_runtime.cli import run_command_line

    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    main()
