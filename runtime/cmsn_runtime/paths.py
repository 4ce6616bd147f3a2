"""Paths in site files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cmsn_runtime.errors import SettingsError

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def bundle_path(text: str | None, folder: Path) -> str | Path | None:
    """A bundle by its path, or by the name of one that comes with cmsn. Raises SettingsError."""
    if text is None:
        return None
    path = expanded_path(text, folder)
    return path if "/" in text or path.exists() else text


def expanded_path(text: str, folder: Path) -> Path:
    """A path in which ${NAME} is an environment variable. folder: where a relative one begins. Raises SettingsError."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise SettingsError(f"${{{match[1]}}} is not set; set this environment variable, or write the path itself")
        return found

    return folder / Path(_VARIABLE.sub(value, text)).expanduser()
