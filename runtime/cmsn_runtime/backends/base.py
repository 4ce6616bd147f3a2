"""The protocol of what runs the networks, independent of the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, TypeVar

from cmsn_runtime.backends.asks import Evaluate, Extract, ExtractorState, FeatureWindow, Floats, Stages, StepFeatures
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import FULL_PRECISION

# The `length` of a segment whose end is unknown: longer than any stream, and its products still fit an int64.
UNKNOWN_LENGTH = 2**40

_Own = TypeVar("_Own")


class Backend(Protocol):
    """The three networks, ready to run. Streams share a backend; each has its own extractor state and window.

    chunk_frames: the only number of frames that an Extract may have; None for any multiple of the stride.
    largest_batch: maximum number of asks per call, at least 1. `answering.answer` never passes more.

    A call answers its asks in their order. All Extracts of a call have frames of one shape and different states, all
    Stages windows of one length. Where a call raises BackendError, every state is as it was.
    States and windows are the backend's own; those of another backend raise BackendError.
    """

    name: str
    chunk_frames: int | None
    largest_batch: int

    def new_state(self) -> ExtractorState:
        """The extractor's memory before the first frame; it belongs to the caller, one per camera."""
        ...

    def new_window(self, steps: int) -> FeatureWindow:
        """An empty window of at most `steps` steps; it belongs to the caller, one per camera."""
        ...

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """Features of each ask; its state is advanced."""
        ...

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """Stage probabilities of each ask."""
        ...

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """Predicted tIoU of the rows of each ask."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...

    def __enter__(self) -> Backend: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What a backend computes with.

    library: "onnxruntime", "openvino", "tensorrt" or "triton". device: "cpu", "cuda", another of OpenVINO's such as
    "gpu.1", or "server".
    variant: precision of the bundle whose graphs run. extractor: the precision in which that of the extractor computes
    its float32, where it is another.
    threads: number per network on a CPU; None on a GPU.
    """

    library: Literal["onnxruntime", "openvino", "tensorrt", "triton"]
    device: str
    variant: str
    extractor: str = FULL_PRECISION
    threads: int | None = None


class GraphBackend(Backend, Protocol):
    """A backend over a bundle's graphs, which declare their own inputs.

    input_shape: (height, width, 3) of a picture, or (values,) of a feature row.
    """

    arithmetic: Arithmetic

    input_shape: tuple[int, ...]
    feature_channels: int
    roi_bins: int


def own(item: object, kind: type[_Own]) -> _Own:
    """A state, window or features of a backend's own kind. Raises BackendError for another backend's."""
    if not isinstance(item, kind):
        raise BackendError(
            f"a {type(item).__name__} was passed where this backend takes its own {kind.__name__}; "
            "states, windows and features can only be used with the backend that created them"
        )
    return item
