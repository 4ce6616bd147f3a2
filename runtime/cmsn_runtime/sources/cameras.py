"""Cameras of this machine, through Video4Linux."""

from __future__ import annotations

from cmsn_runtime.sources.addresses import is_camera
from cmsn_runtime.sources.kinds import SourceKind
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.video import VideoSource


def _open(address: str, *, options: SourceOptions) -> VideoSource:
    return VideoSource(address, format="v4l2", options=options)


KIND = SourceKind(claims=is_camera, open=_open, is_live=is_camera)
