"""What a stream needs computed, as asks that its driver answers: alone, in batches, here or elsewhere.

The logic of a stream computes no network. It is a generator (`Work`) that yields an ask and is sent the answer.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

Moments: TypeAlias = npt.NDArray[Any]  # uint8 [T, height, width, 3] of pictures, or float32 [T, width] of feature rows
Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]

Result = TypeVar("Result")


class ExtractorState(Protocol):
    """The extractor's memory of one camera, wherever its backend keeps it."""

    def close(self) -> None:
        """The sequence has ended: release its memory at once. May be called twice."""
        ...


class StepFeatures(Protocol):
    """Feature vectors of consecutive steps: float32 [n, C] on the host, or a token for device memory.

    On a device the next `extract` of the same state overwrites them, so push them into a window before that.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> StepFeatures: ...


class FeatureWindow(Protocol):
    """The newest step features of one stream, in order, wherever its backend keeps them."""

    def __len__(self) -> int:
        """Number of steps it holds, at most the size it was created with."""
        ...

    def push(self, features: StepFeatures, /) -> None:
        """Append step features, at most the window's size at once; the oldest beyond that size are dropped."""
        ...

    def close(self) -> None:
        """The sequence has ended: release its memory at once. May be called twice."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Extract:
    """Frames uint8 [T, height, width, 3], or rows float32 [T, width] -> StepFeatures of T / stride steps.

    state: is advanced. position: index of the first frame in its segment. length: number of frames of the segment,
    UNKNOWN_LENGTH until it ends.
    Features lag: the k-th is that of step position / stride - delay + k; those of negative steps are meaningless.
    """

    frames: Moments
    state: ExtractorState
    position: int
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """A window of n steps, at least one -> stage probabilities float32 [n, 6]."""

    window: FeatureWindow


@dataclass(frozen=True, slots=True, eq=False)
class Evaluate:
    """A window, and rows int64 [K, bins] of its table (see `proposing.roi`), K >= 1 -> predicted tIoU float32 [K]."""

    window: FeatureWindow
    left: Rows
    right: Rows


Ask: TypeAlias = Extract | Stages | Evaluate
Answer: TypeAlias = StepFeatures | Floats
Work: TypeAlias = Generator[Ask, Answer, Result]


def extract(frames: Moments, state: ExtractorState, *, position: int, length: int) -> Work[StepFeatures]:
    """Ask for step features; see Extract."""
    return (yield Extract(frames, state, position, length))


def stages(window: FeatureWindow) -> Work[Floats]:
    """Ask for stage probabilities; see Stages."""
    return cast(Floats, (yield Stages(window)))


def evaluate(window: FeatureWindow, left: Rows, right: Rows) -> Work[Floats]:
    """Ask for predicted tIoU; see Evaluate."""
    return cast(Floats, (yield Evaluate(window, left, right)))
