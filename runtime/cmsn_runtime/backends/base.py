"""What runs the networks, whatever library does it."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

# The `length` of a segment whose end is not known yet: beyond any stream, and its products still fit an int64.
UNKNOWN_LENGTH = 2**40

ExtractorState = Any


class Backend(Protocol):
    """The three networks, ready to run. Streams share a backend; each has its own extractor state."""

    name: str

    def new_state(self) -> ExtractorState:
        """The extractor's memory before the first frame; it belongs to the caller, one a camera."""
        ...

    def extract(
        self, frames: npt.NDArray[Any], state: ExtractorState, *, position: int, length: int
    ) -> npt.NDArray[np.float32]:
        """Frames uint8 [T, height, width, 3], or rows float32 [T, width] -> step features [T / stride, C].

        state: moves on. position: index of the first frame in its segment. length: of the segment in
        frames, UNKNOWN_LENGTH while it goes on.
        Features lag: the k-th is that of step position / stride - delay + k; those of negative steps mean nothing.
        """
        ...

    def stages(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Step features [n, C] of a window -> stage probabilities [n, 6]."""
        ...

    def evaluate(
        self, features: npt.NDArray[np.float32], left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Step features [n, C] and table rows [K, bins], see `proposing.roi` -> predicted tIoU [K]."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...

    def __enter__(self) -> Backend: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
