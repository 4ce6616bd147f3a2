"""What the proposals of `cmsn run` are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmsn_runtime.commands.options.grouping import grouped

if TYPE_CHECKING:
    from cmsn_runtime.annotations import VideoAnnotations
    from cmsn_runtime.sinks.places import Place


@dataclass(frozen=True, slots=True)
class TruthChoice:
    """truth: an annotation file, or none."""

    truth: Path | None

    def places(self) -> list[Place]:
        """What is read."""
        from cmsn_runtime.sinks.places import Place

        return [] if self.truth is None else [Place("--truth", self.truth)]

    def read(self, sources: Sequence[str]) -> Mapping[str, VideoAnnotations] | None:
        """The annotations. Raises SettingsError for a source that is not among them, which is probably a mistake."""
        from cmsn_runtime.annotations import read_annotations
        from cmsn_runtime.errors import SettingsError
        from cmsn_runtime.names import video_id

        if self.truth is None:
            return None
        truth = read_annotations(self.truth)
        unknown = [url for url in sources if video_id(url) not in truth]
        if unknown:
            raise SettingsError(
                f"{self.truth}: says nothing of {', '.join(unknown)}; its videos are {', '.join(list(truth)[:5])}"
            )
        return truth


truth_options = grouped(
    "truth",
    TruthChoice,
    click.option(
        "--truth",
        metavar="JSON",
        type=click.Path(path_type=Path),
        help="True actions to compare with, in ActivityNet's format.",
    ),
)
