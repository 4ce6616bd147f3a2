"""The base class of everything that is closed by `close` or at the end of a `with` block."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar

_Self = TypeVar("_Self", bound="Closing")


class Closing(AbstractContextManager[Any]):
    """Closes itself at the end of a `with` block."""

    def close(self) -> None:
        """Release everything. May be called twice."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
