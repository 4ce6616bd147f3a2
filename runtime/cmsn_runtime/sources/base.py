"""The protocol of videos and cameras."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Protocol, TypeVar

from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.losses import Losses

Moment = TypeVar("Moment", covariant=True)


class AnySource(Protocol[Moment]):
    """What a Source of pictures and a FeatureSource have in common; see Source for the fields."""

    @property
    def name(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def duration(self) -> Fraction | None: ...
    @property
    def losses(self) -> Losses: ...
    def __iter__(self) -> Iterator[Moment]: ...


class Source(AnySource[Frame], Protocol):
    """Frames of one video or camera, in the order they are shown. Iterate once, then close.

    name: safe to print: without user name, password and query of a URL.
    live: frames arrive in real time; it has no end of its own, so ending is not a fault.
    duration: seconds, where known before it is read.
    losses: what could not be delivered so far; complete once the iteration has ended. Its runner reports it.

    What a user should know about how a source is read (an assumed rate, ignored files) is a SourceWarning.

    Iterating raises SourceError where it has no frames, and DecodeError, after the last valid frame,
    where it breaks: everything yielded until then remains valid.
    """

    def close(self) -> None: ...
    def __enter__(self) -> Source: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
