"""Finds the clips that were saved of events, in their folders and nowhere else."""

from __future__ import annotations

from pathlib import Path

from cmsn_runtime.clips.saving import CLIP_SUFFIXES, clip_stem
from cmsn_runtime.serving.outputs import Outputs, clip_folders


class ClipFinder:
    """Looks into the folders of the outputs that save clips, as these are now."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def name_of(self, event_id: str) -> str | None:
        """What the clip of an event is called; None where there is none, or not yet."""
        stem = clip_stem(event_id)
        names = [f"{stem}{suffix}" for suffix in CLIP_SUFFIXES]
        return next((name for name in names if self.file(name) is not None), None)

    def file(self, name: str) -> Path | None:
        """The clip of that name; None where there is none, or the name is that of anything else."""
        if "/" in name or not name.endswith(CLIP_SUFFIXES) or name.startswith("."):
            return None
        for folder in clip_folders(self._outputs):
            path = folder / name
            try:
                if path.is_file() and not path.is_symlink():
                    return path
            except (OSError, ValueError):  # a name too long, or with a null in it
                return None
        return None
