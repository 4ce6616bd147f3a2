"""GStreamer pipelines as addresses, `gst:PIPELINE`: what in them is secret, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterator

PREFIX = "gst:"
_URL = re.compile(r"[\w.+-]+://[^\s\"]+")
_SECRET = re.compile(r"\b[\w-]*(?:pw|pass\w*|secret|token|key|auth\w*)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|\S+)", re.IGNORECASE)


def is_pipeline(address: str) -> bool:
    """Whether an address is a GStreamer pipeline."""
    return address.startswith(PREFIX)


def first_element(pipeline: str) -> str:
    """The name of its source element, such as "gst:rtspsrc": nothing in it is secret."""
    match = re.match(r"gst:\s*(\w*)", pipeline)
    return f"{PREFIX}{match[1]}" if match else PREFIX


def urls_of(pipeline: str) -> Iterator[str]:
    """The URLs in it, which may hold passwords."""
    yield from _URL.findall(pipeline)


def secrets_of(pipeline: str) -> Iterator[str]:
    """The values of properties that look like passwords, such as user-pw=... of rtspsrc."""
    yield from (match[1].strip('"') for match in _SECRET.finditer(pipeline))


def without_secrets(pipeline: str) -> str:
    """What is left of it without URLs and such values."""
    return _SECRET.sub("", _URL.sub("", pipeline))
