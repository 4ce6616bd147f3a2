"""Reads JSON files as they are published and edited."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.errors import AnnotationError


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A parsed file. content: its value. repeated: keys that occur twice in an object; content has the last value."""

    content: object
    repeated: frozenset[str]


def read_json(path: Path) -> JsonFile:
    """UTF-8, UTF-16 or UTF-32, with or without a byte order mark. Raises AnnotationError."""
    repeated: set[str] = set()

    def as_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            repeated.update(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        return found

    try:
        # json detects the encoding of bytes from their first four.
        content = json.loads(path.read_bytes(), object_pairs_hook=as_object)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise AnnotationError(f"{path}: cannot be read as JSON ({reason})") from error
    return JsonFile(content, frozenset(repeated))
