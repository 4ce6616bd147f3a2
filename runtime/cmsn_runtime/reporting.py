"""What is reported to people, a line each on stderr."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Literal

from cmsn_runtime.text import one_line


def report(message: object, *, kind: Literal["error", "warning"] = "error") -> None:
    """Write one line to stderr, whatever the message holds. Never fails: stderr may be closed, or on a full disk."""
    if sys.stderr is None:  # the shell closed it (`2>&-`)
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(f"cmsn: {kind}: {one_line(message)}\n")
        sys.stderr.flush()
