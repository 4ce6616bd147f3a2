"""An RTSP server with a clip that never ends, and what a capture delivered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from captured import Captured
from chaos_proxy import ChaosProxy
from clips import pictures, write_clip
from external import require_gstreamer
from rtsp import RtspServer, endless, switching


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 25 frames per second, 64x48, with a key frame each second."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures(50), options={"g": "25"})


@pytest.fixture(scope="module")
def server(short_clip: Path) -> Iterator[RtspServer]:
    """A server with `yard`, a clip without end, and `switch`, whose size changes twice a second."""
    require_gstreamer()
    mounts = {"yard": endless(short_clip), "switch": switching("320x240", "160x120", seconds=0.5)}
    with RtspServer(mounts) as serving:
        yield serving


@pytest.fixture
def proxy(server: RtspServer) -> Iterator[ChaosProxy]:
    """A proxy before that server."""
    with ChaosProxy(server.port) as misbehaving:
        yield misbehaving


@pytest.fixture
def captured() -> Captured:
    return Captured()
