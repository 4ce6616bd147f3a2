"""Where the engines that a user built are stored: a private folder of the user's cache, by the hashes of the graphs.

An engine is as powerful as a program, so it is never loaded just because it lies beside a bundle.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import Manifest

CACHE_VARIABLE = "CMSN_CACHE_DIR"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder() -> Path:
    """The user's cache folder of cmsn; CMSN_CACHE_DIR names another."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path  # imported here: most runs never need it

    return user_cache_path("cmsn", appauthor=False).absolute()


def graphs_folder(manifest: Manifest) -> Path:
    """Folder of everything that is built from a bundle's graphs, by their hashes: copies of a bundle share it."""
    hashes = sorted({graph.sha256 for graph in manifest.graph_files})
    return cache_folder() / "engines" / hashlib.sha256("".join(hashes).encode()).hexdigest()[:32]


def make_folder(folder: Path) -> None:
    """Create a folder; within the user's cache no other user can read or write it. Raises OSError or BackendError."""
    if not _is_cached(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return
    levels = _levels(folder)
    levels[0].parent.mkdir(parents=True, exist_ok=True)
    for level in levels:
        level.mkdir(mode=0o700, exist_ok=True)
    require_private(folder)


def made_folder(folder: Path) -> bool:
    """`make_folder`, for what works without: whether the folder exists by now and can be written."""
    with suppress(OSError):
        make_folder(folder)
    return folder.is_dir() and os.access(folder, os.W_OK)


def require_private(folder: Path) -> None:
    """Raise BackendError where other users may write engines: they can write the folder, or one above it in the cache.

    A folder that does not exist passes, and so does every folder on a system without file owners.
    """
    if not hasattr(os, "getuid"):
        return
    for level in _levels(folder):
        try:
            found = level.stat()
        except FileNotFoundError:
            return
        fault = _fault(found)
        if fault is not None:
            raise BackendError(
                f"{level} {fault}; engines run with your rights, so only you may have write access to their folder; "
                f"`chmod go-w` it if it is yours, or name another folder with --engines or {CACHE_VARIABLE}"
            )


def _fault(found: os.stat_result) -> str | None:
    if found.st_uid != os.getuid():
        return f"belongs to user {found.st_uid}, not to you"
    if found.st_mode & _OTHERS_WRITE:
        return f"is writable by others (mode {stat.S_IMODE(found.st_mode):04o})"
    return None


def _is_cached(folder: Path) -> bool:
    return cache_folder() in folder.absolute().parents


def _levels(folder: Path) -> list[Path]:
    """The folders from the cache down to this one; only this one where it is outside the cache."""
    folder, cache = folder.absolute(), cache_folder()
    if not _is_cached(folder):
        return [folder]
    return [*(part for part in reversed(folder.parents) if part == cache or cache in part.parents), folder]
