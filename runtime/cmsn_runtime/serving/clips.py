"""Finds the clips that were saved of events, below one folder and nowhere else."""

from __future__ import annotations

from pathlib import Path

_SHOWN = frozenset({".mp4", ".mkv", ".webm", ".ts"})


class ClipFolder:
    """The folder into which clips are saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def file(self, path: str) -> Path | None:
        """The clip at a path relative to the folder; None where that is no clip, or leads out of it."""
        try:
            found = (self._folder / path).resolve()
            inside = found.is_relative_to(self._folder) and found.is_file()
        except (OSError, ValueError):  # a path too long, or with a null in it
            return None
        return found if inside and found.suffix in _SHOWN and not found.name.startswith(".") else None
