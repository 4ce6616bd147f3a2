"""Names of sites, cameras and outputs: safe in topics, ids, labels and names of files."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

from cmsn_runtime.checking import shown
from cmsn_runtime.errors import SettingsError

# What TOML takes as a key without quotes, and MQTT, Home Assistant, Prometheus and every file system as a name.
_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RULE = "letters, digits, _ and - (ASCII), at most 64, beginning with a letter or digit"


def require_names(names: Iterable[str], what: str) -> None:
    """Raise SettingsError for a name that is not allowed, and for two that differ only in their case."""
    known: dict[str, str] = {}
    for name in names:
        if not _ALLOWED.fullmatch(name):
            raise SettingsError(f"{what} is called {shown(name)}; a name consists of {_RULE}")
        if other := known.get(name.lower()):
            raise SettingsError(f"{other} and {name} differ only in their case, and files are named after them")
        known[name.lower()] = name


def host_name() -> str:
    """The name of this machine, as the name of a site."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname().split(".")[0]).lstrip("-_")
    return plain[:64] or "site"
