"""The truth that proposals of `cmsn run` are compared with."""

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
    """The truth of a run. truth: an annotation file, or None. subset: the part of it to use, or None for all."""

    truth: Path | None
    subset: str | None

    def places(self) -> list[Place]:
        """Paths that are read."""
        from cmsn_runtime.sinks.places import Place

        return [] if self.truth is None else [Place("--truth", self.truth)]

    def read(self, sources: Sequence[str]) -> Mapping[str, VideoAnnotations] | None:
        """The annotations, by any of their names; videos without a match are reported in one line on stderr.

        Raises AnnotationError, and SettingsError where no source has annotations.
        """
        from cmsn_runtime.errors import SettingsError
        from cmsn_runtime.reporting import report
        from cmsn_runtime.truth import read_truth_of

        if self.truth is None:
            if self.subset is not None:
                raise SettingsError(f"--subset {self.subset} is a part of the true actions; give --truth JSON too")
            return None
        return read_truth_of(self.truth, sources, subset=self.subset, note=lambda line: report(line, kind="warning"))


truth_options = grouped(
    "truth",
    TruthChoice,
    click.option(
        "--truth",
        metavar="JSON",
        type=click.Path(path_type=Path),
        help="True actions for comparison, in ActivityNet's format.",
    ),
    click.option("--subset", metavar="NAME", help="Only this subset of --truth, such as validation; by default all."),
)
