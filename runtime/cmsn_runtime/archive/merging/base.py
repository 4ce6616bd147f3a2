"""What writes the results of an archive in one format."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from cmsn_runtime.archive.records import FoundProposal, VideoResult


class MergeWriter(Protocol):
    """Takes one result after the other; the file is complete once it is closed, and not there before."""

    def add(self, result: VideoResult) -> None:
        """Write the proposals of one video."""
        ...

    def close(self) -> None:
        """Complete the file. Raises OutputError."""
        ...

    def abandon(self) -> None:
        """Leave no file."""
        ...


def best_of_each(result: VideoResult, least: float) -> list[FoundProposal]:
    """For people: the first rank of each action with at least that score, by time."""
    chosen = [one for one in result.proposals if one.rank == 1 and one.score >= least]
    return sorted(chosen, key=lambda one: (one.start, one.end))


def label_of(path: Path | str) -> str:
    """The name of a video in a path or URL."""
    return str(path).rsplit("/", 1)[-1]
