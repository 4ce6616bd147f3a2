"""The secrets in a camera's address and options, each by itself: libraries repeat them out of their context."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cmsn_runtime.capture import gstreamer
from cmsn_runtime.sources.addresses import password_of
from cmsn_runtime.sources.options import SourceOptions

_VALUE = re.compile(r"[?&;/_]([\w-]+)=([^&;/]+)")
_SECRET_KEY = re.compile(r"pass|pwd|token|secret|key|auth|sign|sig|headers|cookies", re.IGNORECASE)
_URL = re.compile(r"[\w.+-]+://[^\s'\"]+")


def secrets_in(address: str, options: SourceOptions) -> Iterator[str]:
    """Passwords, tokens and the like, as they stand in the address (perhaps percent-encoded) and in the options."""
    for url in _URL.findall(address):
        if password := password_of(url):
            yield password
        yield from (value for key, value in _VALUE.findall(url) if _SECRET_KEY.search(key))
    if gstreamer.is_pipeline(address):
        yield from gstreamer.secrets_of(address)
    yield from (value for key, value in options.demuxer.items() if _SECRET_KEY.search(key))
