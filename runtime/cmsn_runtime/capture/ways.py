"""Which process captures an address, and what becomes of the address when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cmsn_runtime.capture import gstreamer
from cmsn_runtime.capture.process import PYAV
from cmsn_runtime.sources import raw
from cmsn_runtime.sources.piped import STANDARD_INPUT
from cmsn_runtime.sources.pipelines import is_pipeline
from cmsn_runtime.sources.pipes import is_pipe


@dataclass(frozen=True, slots=True)
class Way:
    """command: of the process. stdin: it reads this process's standard input.

    once: it cannot be opened again. patient: when it stalls it is waited for: opening it again would only lose what is
    in it already.
    """

    command: Sequence[str]
    stdin: bool = False
    once: bool = False
    patient: bool = False


def way_of(address: str) -> Way:
    """The way to capture an address. Raises SourceError where there is none on this machine."""
    if is_pipeline(address):
        return Way(gstreamer.command())
    place = raw.place_of(address) or address
    if place in STANDARD_INPUT:
        return Way(PYAV, stdin=True, once=True, patient=True)
    return Way(PYAV, patient=is_pipe(place))
