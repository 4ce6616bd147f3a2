"""Text that is fit for a terminal, one line, or the name of a file."""

from __future__ import annotations

import hashlib

# What file systems forbid, those of Windows and of memory cards too, beside what cannot be printed.
_FORBIDDEN = frozenset('/\\:*?"<>|')
_RESERVED = frozenset(
    {"aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
)
_MARK_LETTERS = 8


def printable(text: str) -> str:
    """Text fit to be shown: non-printable characters, and those that would steer a terminal, are escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def one_line(message: object) -> str:
    """A message, whatever it holds, as one line that cannot steer a terminal."""
    return printable(" ".join(str(message).split()))


def encoded(text: str) -> bytes:
    """Text in UTF-8. Bytes of a name that were not UTF-8 go through unchanged; half of a surrogate pair becomes "?"."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def file_name(name: str, *, before: str = "", after: str = "", most_bytes: int = 240) -> str:
    """`before`, a name of any length, script or form, and `after` as one valid name of a file.

    Names that differ give names that differ: one that had to be changed is marked by a part of its hash.
    most_bytes: of the whole in UTF-8; file systems take 255, and temporary names need some room.
    """
    fit = "".join("_" if letter in _FORBIDDEN or not letter.isprintable() else letter for letter in name)
    fit = fit.rstrip(" .").lstrip(" ") or "_"
    if fit.split(".")[0].lower() in _RESERVED and not before:
        fit = f"_{fit}"
    room = most_bytes - len(f"{before}{after}".encode("utf-8", "surrogateescape"))
    if fit == name and len(fit.encode()) <= room:
        return f"{before}{fit}{after}"
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_LETTERS]
    cut = fit.encode()[: max(room - len(mark) - 1, 0)].decode(errors="ignore")
    return f"{before}{cut}-{mark}{after}"
