"""`cmsn merge`: every result of an archive into one format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cmsn_runtime.archive.merging.annotation_tools import FiftyOne, LabelStudio, Via
from cmsn_runtime.archive.merging.base import MergeWriter
from cmsn_runtime.archive.merging.elan import Elan
from cmsn_runtime.archive.merging.tables import ActivityNet, Parquet
from cmsn_runtime.archive.records import read_result
from cmsn_runtime.archive.stores import Store

Format = Literal["parquet", "activitynet", "label-studio", "fiftyone", "elan", "via"]

WRITERS: dict[Format, Callable[[Path, float], MergeWriter]] = {
    "parquet": Parquet,
    "activitynet": ActivityNet,
    "label-studio": LabelStudio,
    "fiftyone": FiftyOne,
    "elan": Elan,
    "via": Via,
}


@dataclass(frozen=True, slots=True)
class Merged:
    """How much was merged. other: results of other bundles or settings, which were left out."""

    videos: int
    proposals: int
    other: int


def merge(
    store: Store, kind: Format, target: Path, *, least: float = 0.0, setup: dict[str, object] | None = None
) -> Merged:
    """Write the results in one format. least: lower scores are left out. setup: only results of this setup.

    One result at a time is in memory. Raises OutputError; no file is left then, and an earlier one stays.
    """
    writer = WRITERS[kind](target, least)
    videos = proposals = other = 0
    try:
        for name in sorted(store.names("results")):
            content = store.read(f"results/{name}")
            if content is None:
                continue
            result = read_result(content, name=f"{store.name}/results/{name}")
            if setup is not None and result.setup != setup:
                other += 1
                continue
            writer.add(result)
            videos += 1
            proposals += len(result.proposals)
    except BaseException:
        writer.abandon()
        raise
    writer.close()
    return Merged(videos, proposals, other)
