"""What was compiled before and lies on the disk: kernels, graphs and engines."""

from __future__ import annotations

import os
from pathlib import Path

from cmsn_runtime.backends.engine_cache import cache_folder

_COMPILED = ("kernels", "engines")  # folders in the user's cache


def cached_files() -> frozenset[Path]:
    """All of them, of every bundle: one that is there after an opening and was not before says that it was cold."""
    folders = (
        entry for name in _COMPILED for entry in os.walk(cache_folder() / name)
    )  # what it may not read, it skips
    return frozenset(Path(folder, name) for folder, _, names in folders for name in names)
