"""Passwords and tokens: never shown, and removed from every text that may repeat them."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.sources.addresses import secret_parts

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_MASK = "***"

# Characters. A shorter text that has letters and digits only is removed where it is a whole word: it may be part of
# others, such as 1234. One of the shortest is removed only where a password stands in a URL or a parameter.
_ANYWHERE = 8
_AS_WORD = 4
_WORD_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf]))"  # or after an encoded character
_WORD_END = r"(?![A-Za-z0-9])"
_PASSWORD_BEGIN = r"(?<=[:=])"

# How JSON, Python and HTML write characters, besides by their numbers.
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", " ": "+", "\n": r"\n", "\r": r"\r", "\t": r"\t"}

_known: set[str] = set()  # global: a log line of any part may repeat a secret


class Secret:
    """A text that is never shown: repr and str mask it. `reveal` returns it.

    whole: false for an address that a user has given openly, in which only logins and the like are secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str, *, whole: bool = True) -> None:
        self._text = text
        remember(text, whole=whole)

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


class Address(Secret):
    """An address in a site file: what is secret in it are logins, parameters and variables, not all of it."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        super().__init__(text, whole=False)


def remember(text: str, *, whole: bool = True) -> None:
    """`scrubbed` will remove this text, and what is secret in it where it is a URL, in every form that it may take.

    whole: false for what is secret in it alone.
    """
    for part in (*([text] if whole else []), *secret_parts(text)):
        for form in (part, unquote(part)):
            if form:
                _known.add(form)
            if len(form) >= _AS_WORD:
                _known.add(b64encode(form.encode("utf-8", "surrogateescape")).decode())  # as HTTP and RTSP send a login


def scrubbed(text: str) -> str:
    """The text without any secret that is known: as it is, percent-encoded, or escaped as in JSON, Python or HTML."""
    pattern = _pattern(frozenset(_known)) if _known else None
    return text if pattern is None else pattern.sub(_MASK, text)


def expanded(text: str) -> Secret:
    """The same as `expanded_text`, as a secret."""
    return Secret(expanded_text(text))


def expanded_text(text: str) -> str:
    """A text of a site file with each ${NAME} replaced by that environment variable, whose value is a secret.

    Variables that are user name and password of a URL are percent-encoded there: they may hold any character. Raises
    SettingsError, which shows neither the text nor a value.
    """
    login = re.match(r"[\w.+-]+://((?:[^/?#@$\s]|\$\{[^}]*\})*)@", text)
    parts = (text[: login.end(1)], text[login.end(1) :]) if login else ("", text)
    return "".join(_VARIABLE.sub(_encoded if part is parts[0] else _verbatim, part) for part in parts)


def from_file(path: Path) -> Secret:
    """The content of a file, without the line break at its end. Raises SettingsError."""
    try:
        return Secret(path.read_text(encoding="utf-8").rstrip("\r\n"))
    except OSError as error:
        raise SettingsError(f"{path}: the secret in it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: the secret in it cannot be read (it is not UTF-8)") from None


def _variable(name: str) -> str:
    """The value of an environment variable that a site file names as a secret. Raises SettingsError."""
    found = os.environ.get(name)
    if found is None:
        raise SettingsError(f"${{{name}}} is not set; set this environment variable, or name a file")
    remember(found)
    return found


def _verbatim(match: re.Match[str]) -> str:
    return _variable(match[1])


def _encoded(match: re.Match[str]) -> str:
    return quote(_variable(match[1]), safe="")


@lru_cache(maxsize=1)
def _pattern(known: frozenset[str]) -> re.Pattern[str]:
    """What to remove, the longest first: a secret may be part of another."""
    return re.compile("|".join(map(_bounded, sorted(known, key=lambda secret: (-len(secret), secret)))))


def _bounded(secret: str) -> str:
    letters = "".join(map(_letter, secret))
    if len(secret) >= _ANYWHERE:
        return letters
    if len(secret) < _AS_WORD:
        return f"{_PASSWORD_BEGIN}{letters}{_WORD_END}"
    is_word = secret.isascii() and secret.isalnum()
    return f"{_WORD_BEGIN}{letters}{_WORD_END}" if is_word else letters


@lru_cache(maxsize=256)
def _letter(letter: str) -> str:
    """A pattern of one character in all of its forms."""
    percent = "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\u{units[place : place + 4]}" for place in range(0, len(units), 4))
    numbers = [percent, escaped, f"&#x{ord(letter):x};", f"&#{ord(letter)};", rf"\x{ord(letter):02x}"]
    named = [letter, *([_NAMED[letter]] if letter in _NAMED else []), *([f"\\{letter}"] if letter in "\"'/\\" else [])]
    forms = [*map(re.escape, sorted(named, key=len, reverse=True)), f"(?i:{'|'.join(map(re.escape, numbers))})"]
    return f"(?:{'|'.join(forms)})"
