"""Kinds of sources, found by entry points: a new one is a module with a SourceKind, and one line in pyproject.toml."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from cmsn_runtime.errors import SourceWarning
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.options import SourceOptions

_GROUP = "cmsn.sources"


class Opener(Protocol):
    """Opens an address that its kind claims. Raises SourceError."""

    def __call__(self, address: str, *, options: SourceOptions) -> Source: ...


def _never(address: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class SourceKind:
    """What an entry point of the group "cmsn.sources" names.

    claims: whether an address is of this kind; asked of every address, so it must be quick and must not fail.
    open: see Opener; heavy imports belong inside. is_live: whether what is there has no end of its own.
    """

    claims: Callable[[str], bool]
    open: Opener
    is_live: Callable[[str], bool] = _never


def kind_of(address: str) -> SourceKind | None:
    """The kind that claims an address; none for what is left to FFmpeg. Kinds are asked in the order of their names."""
    return next((kind for kind in _kinds() if kind.claims(address)), None)


@lru_cache(maxsize=1)
def _kinds() -> Sequence[SourceKind]:
    entries = sorted(entry_points(group=_GROUP), key=lambda entry: entry.name)
    return [kind for kind in map(_loaded, entries) if kind is not None]


def _loaded(entry: EntryPoint) -> SourceKind | None:
    """A kind that cannot be loaded must not take the others with it."""
    try:
        kind = entry.load()
    except (ImportError, AttributeError) as error:
        kind = error
    if isinstance(kind, SourceKind):
        return kind
    warnings.warn(f"sources of the kind {entry.name!r} are unavailable: {kind}", SourceWarning, stacklevel=2)
    return None
