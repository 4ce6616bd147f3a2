"""The only bytes that may represent a manifest, and the digest that they contain."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(content: object) -> bytes:
    """JSON in canonical form: keys sorted, two spaces, UTF-8, one newline at the end."""
    # surrogatepass: a lone surrogate, which JSON can express, must lead to a mismatch and not to an exception
    return (json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def digest(content: dict[str, Any]) -> str:
    """SHA-256 in hexadecimal of a manifest's contents without its digest."""
    return hashlib.sha256(canonical(content)).hexdigest()
