"""Reads the small files of /proc and /sys: what is missing, forbidden or no number leaves its figure out."""

from __future__ import annotations

import math
from pathlib import Path


def text(file: Path) -> str:
    """Its content without what surrounds it; empty where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip("\0\n\t ")
    except OSError:  # no such file, no right to read it, or a sensor that does not answer
        return ""


def number(file: Path) -> float | None:
    """The finite number that it holds; None for anything else."""
    return finite(text(file))


def finite(word: str) -> float | None:
    """A number as text -> its value; None for anything else."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
