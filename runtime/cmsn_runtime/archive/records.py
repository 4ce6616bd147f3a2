"""The result of one video, and the record of one that was set aside, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from cmsn_runtime.archive.identity import Stamp
from cmsn_runtime.errors import OutputError
from cmsn_runtime.structuring import structure

Record = TypeVar("Record", "VideoResult", "SetAside")

FORMAT = 1


@dataclass(frozen=True, slots=True)
class FoundProposal:
    """A final proposal: seconds from the video's begin. action, rank: as in events."""

    action: int
    rank: int
    start: float
    end: float
    score: float


@dataclass(frozen=True, slots=True)
class VideoResult:
    """Everything that was found in a video.

    setup: bundle's hash, settings that differ from its own, hop. duration: seconds of it that were read.
    frame_rate: the file's own, where it has one. incomplete: why it was not read to its end, or empty. took: seconds of
    work.
    """

    key: str
    video: Stamp
    bundle: str
    setup: dict[str, Any]
    duration: float
    frame_rate: float | None
    incomplete: str
    took: float
    proposals: tuple[FoundProposal, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A video without a result. attempts: how often its worker died with it, or 1 where it cannot be read."""

    key: str
    video: Stamp
    reason: str
    attempts: int


def result_bytes(result: VideoResult) -> bytes:
    """The result as a file."""
    return (json.dumps({"format": FORMAT, **asdict(result)}, sort_keys=True) + "\n").encode()


def aside_bytes(aside: SetAside) -> bytes:
    """The record as a file."""
    return (json.dumps({"format": FORMAT, **asdict(aside)}, sort_keys=True) + "\n").encode()


def read_result(content: bytes, *, name: str) -> VideoResult:
    """Raises OutputError for a file that is none."""
    return _read(content, VideoResult, name)


def read_aside(content: bytes, *, name: str) -> SetAside:
    """Raises OutputError for a file that is none."""
    return _read(content, SetAside, name)


def _read(content: bytes, kind: type[Record], name: str) -> Record:
    try:
        values = json.loads(content)
        found = values.pop("format")
        if found != FORMAT:
            raise ValueError(f"format {found}, this version reads {FORMAT}")
        return structure(values, kind, path="")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise OutputError(f"{name}: is no result of cmsn archive ({error}); remove it to compute it again") from error
