"""Which sources are run one after the other, and which at the same time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from cmsn_runtime.errors import SettingsError, SourceWarning
from cmsn_runtime.sources.addresses import is_live, public_name, scheme_of
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.kinds import kind_of
from cmsn_runtime.sources.piped import STANDARD_INPUT


def are_cameras(addresses: Sequence[str]) -> bool:
    """Whether the sources have no end of their own, as far as their addresses show: then they run at the same time.

    A SourceWarning reports standard input that is given twice. Raises SettingsError for files among cameras.
    """
    if sum(address in STANDARD_INPUT for address in addresses) > 1:
        warnings.warn(
            "standard input is given more than once; all but the first will find nothing in it",
            SourceWarning,
            stacklevel=2,
        )
    cameras = [address for address in addresses if has_no_end(address)]
    others = [address for address in addresses if address not in cameras]
    if cameras and others:
        raise SettingsError(
            f"{public_name(cameras[0])} has no end of its own, and {public_name(others[0])} has one: cameras run at "
            "the same time, files one after the other; start one run for each, or play files as cameras too (--live)"
        )
    return bool(cameras)


def is_found_live(address: str, source: Source) -> bool:
    """Whether what was opened is a camera whose address does not show it (MJPEG or HLS over HTTP): it can be opened
    again when it is lost.
    """
    return source.live and scheme_of(address) in ("http", "https")


def has_no_end(address: str) -> bool:
    """Whether it is a live source, as far as its address shows."""
    kind = kind_of(address)
    return is_live(address) if kind is None else kind.is_live(address)
