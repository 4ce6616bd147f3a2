"""A uniform error for a field whose value is not allowed."""

from __future__ import annotations

from cmsn_runtime.errors import SettingsError


class FieldError(SettingsError):
    """A field of a dataclass has a value that is not allowed. The message begins with the field's name."""


def require(valid: bool, field: str, value: object, allowed: str) -> None:
    """Raise FieldError "FIELD is VALUE; it must be ALLOWED" unless valid."""
    if not valid:
        raise FieldError(f"{field} is {shown(value)}; it must be {allowed}")


def shown(value: object, *, most: int = 80) -> str:
    """A value's repr, in one line and truncated to `most` characters: it may come from a damaged file."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
