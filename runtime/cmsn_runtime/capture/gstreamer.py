"""The process that captures GStreamer pipelines: in a Python that has its bindings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from cmsn_runtime.capture.process import needed_environment
from cmsn_runtime.errors import SourceError

_SCRIPT = Path(__file__).with_name("gstreamer_child.py")
_CHOICE = "CMSN_GST_PYTHON"
_CHECK_SECONDS = 20


def command() -> Sequence[str]:
    """What captures a pipeline. Raises SourceError where no Python has GStreamer's bindings."""
    # -E: variables such as PYTHONPATH are meant for another Python.
    return [_python(os.environ.get(_CHOICE)), "-E", str(_SCRIPT)]


@lru_cache(maxsize=4)
def _python(chosen: str | None) -> str:
    found = [chosen] if chosen else list(dict.fromkeys(_candidates()))
    for python in found:
        if _has_gi(python):
            return python
    raise SourceError(
        f"gst: none of {', '.join(found) or 'the Pythons here'} has gi, GStreamer's bindings; install python3-gi and "
        f"gir1.2-gst-plugins-base-1.0, or name a Python that has them by {_CHOICE}"
    )


def _candidates() -> Iterator[str]:
    """The system's Python first: Debian and JetPack package gi for it alone."""
    for python in ("/usr/bin/python3", shutil.which("python3"), sys.executable):
        if python and Path(python).exists():
            yield python


def _has_gi(python: str) -> bool:
    check = "import gi; gi.require_version('GstApp', '1.0')"
    try:
        done = subprocess.run(
            [python, "-E", "-c", check],
            env=needed_environment(),
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
