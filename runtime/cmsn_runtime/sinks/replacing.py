"""Files that are either whole or as they were before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.sinks.base import written_to


def require_folder(path: Path) -> None:
    """Say at once, not after hours of video, that the folder of an output is not there. Raises SettingsError."""
    if not path.parent.is_dir():
        raise SettingsError(f"{path}: there is no folder {path.parent}; make it first, or give another path")
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder; give the path of a file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write to the path this gives; it takes the place of `path` if all went well. Raises SettingsError."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with written_to(path):
        try:
            yield unfinished
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
