"""ELAN's annotation files, one per video."""

from __future__ import annotations

import mimetypes
import tempfile
from pathlib import Path
from typing import Any

from cmsn_runtime.archive.merging.base import best_of_each, label_of
from cmsn_runtime.archive.records import VideoResult
from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.files import write_whole, written_to

_TIER = "cmsn"


class Elan:
    """NAME.KEY.eaf for each video that has proposals: a tier of them, named by their scores, with the video linked."""

    def __init__(self, folder: Path, least: float) -> None:
        try:
            import pympi  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingExtraError("pympi-ling", "archive", "writing ELAN's files") from error
        self._eaf: Any = pympi.Elan.Eaf
        self._folder = folder
        self._least = least
        with written_to(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, result: VideoResult) -> None:
        """See MergeWriter."""
        best = best_of_each(result, self._least)
        if not best:
            return
        file = self._eaf(author="cmsn")
        file.add_linguistic_type("proposals")
        file.add_tier(_TIER, ling="proposals")
        file.remove_tier("default")
        address = result.video.address
        kind = mimetypes.guess_type(address)[0] or "video/mp4"
        file.add_linked_file(address if "://" in address else f"file://{address}", mimetype=kind)
        for one in best:
            begin = round(one.start * 1000)
            file.add_annotation(_TIER, begin, max(begin + 1, round(one.end * 1000)), f"{one.score:.2f}")
        name = f"{Path(label_of(address)).stem}.{result.key[:8]}.eaf"
        with tempfile.TemporaryDirectory() as folder:  # where the file exists, pympi would keep a copy beside it
            made = Path(folder, name)
            file.to_file(str(made))
            write_whole(self._folder / name, made.read_bytes())

    def close(self) -> None:
        """See MergeWriter: each file is complete."""

    def abandon(self) -> None:
        """See MergeWriter: the files that are there stay."""
