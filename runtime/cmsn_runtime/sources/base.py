"""What the rest of the runtime knows of a video or camera."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Protocol

from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.sources.losses import Losses


class Source(Protocol):
    """Frames of one video or camera, in the order they are shown. Iterate once, then close.

    name: what people call it; safe to print: without user name, password and query of a URL.
    live: frames come when they come, and the end is no fault: it has none of its own.
    duration: seconds, where the source knows it before it is read.
    losses: what could not be shown until now; complete once the iteration has ended. Whoever runs a source reports it.

    What a user should know of how a source is read (an assumed rate, files left out) is a SourceWarning.

    Iterating raises SourceError where there is nothing to look at, and DecodeError, after the last good frame,
    where it breaks on the way: everything yielded until then stays valid.
    """

    @property
    def name(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def duration(self) -> Fraction | None: ...
    @property
    def losses(self) -> Losses: ...

    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Source: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
