"""The order of sources: warns of those that would never be read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.sources.addresses import is_live, public_name
from cmsn_runtime.sources.kinds import kind_of
from cmsn_runtime.sources.piped import STANDARD_INPUT


def warn_of_never_read(addresses: Sequence[str], *, ends: bool) -> None:
    """A SourceWarning where a source comes after one that has no end of its own, or standard input comes twice.

    ends: each is ended after some time.
    """
    if sum(address in STANDARD_INPUT for address in addresses) > 1:
        _warn("standard input is given more than once; all but the first will find nothing in it")
    endless = next((index for index, address in enumerate(addresses) if _has_no_end(address)), len(addresses))
    later = [public_name(address) for address in addresses[endless + 1 :]]
    if later and not ends:
        _warn(
            f"{public_name(addresses[endless])} has no end of its own, and {', '.join(later)} will be read only after "
            "it; start one `cmsn run` per camera, or end each by --for SECONDS"
        )


def _has_no_end(address: str) -> bool:
    kind = kind_of(address)
    return is_live(address) if kind is None else kind.is_live(address)


def _warn(line: str) -> None:
    warnings.warn(line, SourceWarning, stacklevel=3)
