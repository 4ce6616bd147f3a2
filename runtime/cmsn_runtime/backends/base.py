"""What runs the networks, whatever library does it."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

# The `length` of a segment whose end is not known yet: beyond any stream, and its products still fit an int64.
UNKNOWN_LENGTH = 2**40

ExtractorState = Any

# Feature vectors of consecutive steps, wherever a backend keeps them: len() counts the steps, a slice is some of them.
# float32 [n, C] in an array on the host; on a device a token for memory that the next `extract` of the same state
# writes over, so they go into a window before that.
StepFeatures = Any


class FeatureWindow(Protocol):
    """The newest step features of one stream, in order, wherever the backend keeps them."""

    def __len__(self) -> int:
        """Steps it holds, at most the size it was made with."""
        ...

    def push(self, features: StepFeatures) -> None:
        """Take in step features, no more than the window's size; the oldest beyond that size go."""
        ...


class Backend(Protocol):
    """The three networks, ready to run. Streams share a backend; each has its own extractor state and window.

    chunk_frames: the only number of frames `extract` takes; None: any multiple of the stride.
    """

    name: str
    chunk_frames: int | None

    def new_state(self) -> ExtractorState:
        """The extractor's memory before the first frame; it belongs to the caller, one a camera."""
        ...

    def new_window(self, steps: int) -> FeatureWindow:
        """An empty window of at most `steps` steps; it belongs to the caller, one a camera."""
        ...

    def extract(self, frames: npt.NDArray[Any], state: ExtractorState, *, position: int, length: int) -> StepFeatures:
        """Frames uint8 [T, height, width, 3], or rows float32 [T, width] -> features of T / stride steps.

        state: moves on. position: index of the first frame in its segment. length: of the segment in
        frames, UNKNOWN_LENGTH while it goes on.
        Features lag: the k-th is that of step position / stride - delay + k; those of negative steps mean nothing.
        """
        ...

    # `window` below is one of the backend's own windows; each backend takes only those.

    def stages(self, window: Any) -> npt.NDArray[np.float32]:
        """A window of n steps -> stage probabilities [n, 6]."""
        ...

    def evaluate(
        self, window: Any, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """A window and table rows [K, bins], see `proposing.roi` -> predicted tIoU [K]."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...

    def __enter__(self) -> Backend: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class GraphBackend(Backend, Protocol):
    """A backend over a bundle's graphs, which say themselves what they take.

    input_shape: (height, width, 3) of a picture, or (values,) of a feature row.
    """

    input_shape: tuple[int, ...]
    feature_channels: int
    roi_bins: int
