"""Passwords and tokens: never shown, and removed from every text that may repeat them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from cmsn_runtime.errors import SettingsError

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LEAST = 4  # characters; shorter texts occur anywhere
_MASK = "***"

_known: set[str] = set()  # global: a log line of any part may repeat a secret


class Secret:
    """A text that is never shown: repr and str mask it. `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        remember(text)

    def reveal(self) -> str:
        """The text itself: to be passed on, never to be printed, logged or stored."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def remember(text: str) -> None:
    """`scrubbed` will remove this text, as it is and percent-encoded or decoded."""
    for form in (text, unquote(text), quote(text), quote(text, safe="")):
        if len(form) >= _LEAST:
            _known.add(form)


def scrubbed(text: str) -> str:
    """The text without any secret that is known."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def expanded(text: str) -> Secret:
    """A text of a site file with each ${NAME} replaced by that environment variable. Raises SettingsError."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise SettingsError(f"${{{match[1]}}} is not set; set this environment variable, or name a file")
        remember(found)
        return found

    return Secret(_VARIABLE.sub(value, text))


def from_file(path: Path) -> Secret:
    """The content of a file, without the line break at its end. Raises SettingsError."""
    try:
        return Secret(path.read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the secret in it cannot be read ({type(error).__name__})") from None
