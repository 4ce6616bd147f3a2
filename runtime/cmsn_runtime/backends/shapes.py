"""The shapes of every input of a bundle's graphs, for which engines are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.contents import Manifest

Shape = tuple[int, ...]
Shapes = dict[str, tuple[Shape, Shape, Shape]]  # input -> smallest, usual, largest

_USUAL_PROPOSALS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSizes:
    """How large the batches of an engine are.

    cameras: maximum number of streams at once; 1 makes every shape of the extractor fixed.
    chunk_frames: frames (or rows) of a stream at once, a multiple of the stride; one step by default.
    proposals: candidates that the evaluator scores at once; for more it runs again.
    """

    cameras: int = 1
    chunk_frames: int | None = None
    proposals: int = 1024

    def __post_init__(self) -> None:
        for name in ("cameras", "proposals"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be at least 1")


def engine_shapes(manifest: Manifest, graph: str, sizes: EngineSizes) -> Shapes:
    """Shapes of every input of one of the three graphs. Raises SettingsError for a chunk of incomplete steps."""
    return _SHAPES[graph](manifest, sizes)


def _extractor(manifest: Manifest, sizes: EngineSizes) -> Shapes:
    stride = manifest.grid.stride
    chunk = stride if sizes.chunk_frames is None else sizes.chunk_frames
    if chunk < 1 or chunk % stride:
        raise SettingsError(f"a chunk has {chunk} frames; it must be a multiple of the stride, {stride}")
    name = "frames" if manifest.features is None else "rows"
    shapes = {name: (chunk, *manifest.input_shape), "position": (), "length": ()}
    shapes.update({f"past.{state.name}": state.shape for state in manifest.states})
    return {name: _cameras(shape, sizes) for name, shape in shapes.items()}


def _stages(manifest: Manifest, sizes: EngineSizes) -> Shapes:
    window, channels = manifest.grid.window, manifest.network.feature_channels
    largest = (sizes.cameras, window, channels)
    return {"features": ((1, 1, channels), largest, largest)}


def _evaluator(manifest: Manifest, sizes: EngineSizes) -> Shapes:
    window, channels = sizes.cameras * manifest.grid.window, manifest.network.feature_channels
    bins, usual = manifest.proposals.roi_bins, min(_USUAL_PROPOSALS, sizes.proposals)
    rows = ((1, bins), (usual, bins), (sizes.proposals, bins))
    return {"features": ((1, channels), (window, channels), (window, channels)), "left": rows, "right": rows}


def _cameras(shape: Shape, sizes: EngineSizes) -> tuple[Shape, Shape, Shape]:
    largest = (sizes.cameras, *shape)
    return (1, *shape), largest, largest


_SHAPES: dict[str, Callable[[Manifest, EngineSizes], Shapes]] = {
    "extractor": _extractor,
    "stages": _stages,
    "evaluator": _evaluator,
}
