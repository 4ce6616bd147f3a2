"""File systems behind URLs, through fsspec."""

from __future__ import annotations

from typing import Any

from cmsn_runtime.errors import MissingExtraError, OutputError


def remote_file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it. Raises MissingExtraError, OutputError."""
    try:
        import fsspec  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("fsspec", "archive", f"opening {url.split('://', maxsplit=1)[0]}://") from error
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise OutputError(
            f"{url}: cannot be opened ({error}); install what fsspec needs for it, or correct it"
        ) from error
    return fs, str(path).rstrip("/")
