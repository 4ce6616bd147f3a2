"""Whether an optional library is installed, without importing it."""

from __future__ import annotations

from importlib.util import find_spec

from cmsn_runtime.errors import MissingExtraError


def require_library(module: str, *, package: str = "", extra: str, purpose: str) -> None:
    """Raise MissingExtraError where a top-level module is missing. package: what it is part of, if not its name."""
    if find_spec(module) is None:
        raise MissingExtraError(package or module, extra, purpose)
