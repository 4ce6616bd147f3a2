"""Programs of the system that some tests need: skipped where one is absent, failed where CMSN_REQUIRE_LIVE=1."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache

import pytest

SYSTEM_PYTHON = "/usr/bin/python3"  # the one for which Debian packages gi, GStreamer's bindings


def require_program(*names: str) -> None:
    """Skip the test where a program is missing; fail it under CMSN_REQUIRE_LIVE=1."""
    for name in names:
        if shutil.which(name) is None:
            _missing(f"the program {name}")


def require_gstreamer() -> None:
    """The same for GStreamer with its RTSP server and the bindings of Debian's Python."""
    if not has_gstreamer():
        _missing(f"{SYSTEM_PYTHON} with gi, GStreamer and its RTSP server")


@lru_cache(maxsize=1)
def has_gstreamer() -> bool:
    """Whether Debian's Python can start an RTSP server of GStreamer."""
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        return subprocess.run([SYSTEM_PYTHON, "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _missing(what: str) -> None:
    message = f"needs {what}, which is absent"
    if os.environ.get("CMSN_REQUIRE_LIVE") == "1":
        pytest.fail(f"CMSN_REQUIRE_LIVE=1, but the test {message}")
    pytest.skip(message)
