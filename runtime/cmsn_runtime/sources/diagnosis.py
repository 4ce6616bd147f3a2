"""Why FFmpeg does not take a file that is neither damaged nor forbidden: named from its first bytes."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

_HEAD_BYTES = 65_536


_KINDS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (
        lambda head: head.startswith(b"v=0"),
        "it is a session description (SDP), which opens network ports; allow it to by "
        "--option protocol_whitelist=file,rtp,udp,tcp, and check that the camera is sending",
    ),
    (
        lambda head: head.startswith(b"#EXTM3U") and b"://" in head,
        "it is a playlist of segments on the network; allow that by "
        "--option protocol_whitelist=file,http,https,tcp,tls,crypto,data, and check that they can be reached",
    ),
    (
        lambda head: head.startswith(b"#EXTM3U"),
        "it is a playlist; check that its segments are beside it",
    ),
    (
        lambda head: head.startswith(b"ffconcat version"),
        "it is a list of files; check that they are there, and where their paths are absolute or lead elsewhere, "
        "allow them by --option safe=0",
    ),
    (
        lambda head: b"<MPD" in head,
        "it is a DASH manifest, which this build of FFmpeg cannot read; give an HLS playlist or the media file itself",
    ),
    (
        lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP" and b"ANIM" in head,
        "it is an animated WebP, which this build of FFmpeg cannot decode; convert it to a video or a GIF",
    ),
    (
        lambda head: head[:512].lower().startswith((b"<!doctype html", b"<html")),
        "it is a web page; give the address of the video in it",
    ),
)


def diagnosis(path: Path) -> str | None:
    """What the file is, and what to do; None where nothing particular is known of it. Only regular files are read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return None
    return next((text for known, text in _KINDS if known(head)), None)
