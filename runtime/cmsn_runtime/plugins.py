"""Plug-ins by entry points: a new backend, sink or source is one file and one line."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TypeVar

from cmsn_runtime.errors import SettingsError

BACKENDS = "cmsn.backends"
SINKS = "cmsn.sinks"

_Kind = TypeVar("_Kind")


def plugin_names(group: str) -> list[str]:
    """Every installed name of a group, sorted."""
    return sorted({entry.name for entry in entry_points(group=group)})


def find_plugin(group: str, name: str, kind: type[_Kind], *, what: str, also: str = "") -> _Kind:
    """The object of an entry point. what: "the backend", "the output" ..., for messages. also: a further name that the
    caller accepts.

    Raises SettingsError where the name does not exist, cannot be imported, or is not a `kind`.
    """
    entry = next(iter(entry_points(group=group, name=name)), None)
    if entry is None:
        known = (
            ", ".join(filter(None, [also, *plugin_names(group)]))
            or "none: install cmsn again, its entry points are out of date"
        )
        raise SettingsError(f"{what} is {name!r}; it must be one of {known} (if one is missing, install cmsn again)")
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"{what} {name} ({entry.value}) is unavailable: {error}") from error
    if not isinstance(found, kind):
        raise SettingsError(f"{what} {name} ({entry.value}) is a {type(found).__name__}; it must be a {kind.__name__}")
    return found
