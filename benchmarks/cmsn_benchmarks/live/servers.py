"""What the tests have for live cameras (servers above all), for measurements: tests/fakes of the same checkout."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3] / "tests" / "fakes"))

from chaos_proxy import ChaosProxy
from external import has_gstreamer
from mjpeg_server import jpegs, serving_mjpeg
from processes import capturing
from rtsp import RtspServer, clip, endless

__all__ = [
    "ChaosProxy",
    "RtspServer",
    "capturing",
    "clip",
    "endless",
    "has_gstreamer",
    "jpegs",
    "serving_mjpeg",
]
