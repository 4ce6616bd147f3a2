"""TOML as people save it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cmsn_runtime.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file, with or without a byte order mark. Raises SettingsError."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: is not UTF-8, as TOML must be (byte {error.start} is {error.object[error.start]:#04x}); "
            "save it as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:  # beside TOML's own: numbers too long, brackets too deep for Python
        raise SettingsError(f"{path}: not valid TOML: {error}") from error


def toml_value(text: str) -> object:
    """Parse the right side of "=" in TOML; text that is not a TOML value is a string, so that greedy means "greedy"."""
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return values["value"] if set(values) == {"value"} else text  # a line feed could begin another name
