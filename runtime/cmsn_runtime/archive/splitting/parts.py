"""How a long video is divided into parts of steps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.errors import SourceError
from cmsn_runtime.manifest.contents import Manifest
from cmsn_runtime.sources.opening import open_source

CHUNK_STEPS = 6  # per call of the extractor: nobody waits for the first event. Parts begin where a chunk does.


@dataclass(frozen=True, slots=True)
class Part:
    """Steps `first` to `last`, without the latter, of the segment that begins at `origin`; None: to the end.

    index, count: of the parts of its video. One step beyond `last` is computed too, to be compared with the next part.
    """

    index: int
    count: int
    origin: Fraction
    first: int
    last: int | None

    def name(self, key: str) -> str:
        """Of its file."""
        return f"parts/{key}/{self.index}.npy"


def parts_of(address: str, manifest: Manifest, seconds: float) -> list[Part]:
    """The parts of about that length; none where the video is shorter than two of them, or its length is unknown.

    Opens the video and reads its first frame. Raises SourceError.
    """
    grid = manifest.grid
    with open_source(address) as source:
        duration = source.duration
        first = next(iter(source), None)
    if first is None:
        raise SourceError(f"{address}: has no frames; give a whole copy")
    if duration is None or manifest.preprocessing is None or duration < 2 * seconds:
        return []
    steps = max(1, int(Fraction(seconds) / grid.step_seconds / CHUNK_STEPS)) * CHUNK_STEPS
    count = int(duration / (steps * grid.step_seconds))  # what is left over belongs to the last
    if count < 2:
        return []
    return [
        Part(index, count, first.seconds, index * steps, None if index == count - 1 else (index + 1) * steps)
        for index in range(count)
    ]
