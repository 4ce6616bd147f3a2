"""Names the part of a site file in whose error it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cmsn_runtime.errors import SettingsError


@contextmanager
def within(place: str) -> Iterator[None]:
    """A SettingsError in here begins with that place, such as "cameras.door:"."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"{place} {error}") from error
