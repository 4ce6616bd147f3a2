"""The naming schemes of C3D weights in files, and the preprocessing each was trained with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_training.models.c3d_layers import C3D_LAYERS, scaled

Source = Literal["c3d-pytorch", "caffe-features", "mmaction2", "cmsn"]

LAYER_NAMES = tuple(spec.name for spec in C3D_LAYERS)
_SEQUENTIAL = (0, 3, 6, 8, 11, 13, 16, 18)  # indices of the convolutions among activations and pools


@dataclass(frozen=True, slots=True)
class Layout:
    """One naming scheme.

    source: projects that use it. names: the file's names of conv1a..conv5b, each with `.weight` and `.bias` appended.
    preprocessing: what those weights were trained with; None where the file itself records it.
    """

    source: Source
    names: tuple[str, ...]
    preprocessing: Preprocessing | None

    def keys(self, prefix: str) -> dict[str, str]:
        """Our parameter name -> the file's key, where the file has `prefix` before each."""
        pairs = zip(LAYER_NAMES, self.names, strict=True)
        return {f"{ours}.{part}": f"{prefix}{theirs}.{part}" for ours, theirs in pairs for part in ("weight", "bias")}


# Sports-1M's mean, blue first; the files converted from Caffe, and R-C3D which starts from them, round it.
_SPORTS = Preprocessing((128, 171), (112, 112), (90.25, 97.66, 101.41), 1.0, "bgr")
_CAFFE = Preprocessing((128, 171), (112, 112), (90.0, 98.0, 102.0), 1.0, "bgr")
_MMACTION = Preprocessing((128, 171), (112, 112), (104.0, 117.0, 128.0), 1.0, "rgb")

LAYOUTS = (
    Layout("cmsn", tuple(f"extractor.c3d.{name}" for name in LAYER_NAMES), None),
    Layout("c3d-pytorch", ("conv1", "conv2", *LAYER_NAMES[2:]), _SPORTS),
    Layout("caffe-features", tuple(f"features.{place}" for place in _SEQUENTIAL), _CAFFE),
    Layout("caffe-features", tuple(f"RCNN_base.{place}" for place in _SEQUENTIAL), _CAFFE),
    Layout("mmaction2", tuple(f"{name}.conv" for name in LAYER_NAMES), _MMACTION),
)

KNOWN = (
    "conv1.weight .. conv5b.weight (c3d.pickle); features.0.weight .. features.18.weight (Sports-1M, UCF-101 and "
    "ActivityNet converted from Caffe; RCNN_base.0.weight too); conv1a.conv.weight .. conv5b.conv.weight (mmaction2), "
    "with anything before them; the model.safetensors of `cmsn train`"
)


def recognise(keys: Collection[str]) -> tuple[Layout, str] | None:
    """The layout, and the prefix, that most of a file's keys follow; None where no layout finds half of its names."""
    candidates = [
        (layout, key.removesuffix(first))
        for layout in LAYOUTS
        for first in (f"{layout.names[0]}.weight",)
        for key in keys
        if key == first or key.endswith(f".{first}")
    ]

    def found(candidate: tuple[Layout, str]) -> int:
        layout, prefix = candidate
        return sum(key in keys for key in layout.keys(prefix).values())

    best = max(candidates, key=found, default=None)
    return best if best is not None and found(best) >= len(LAYER_NAMES) else None


def c3d_shapes(width: float) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every parameter of C3D at a width: weights [out, in, 3, 3, 3] and biases [out].

    Caffe's order of a weight's axes is torch's, so converted files need no transposing.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for spec in C3D_LAYERS:
        out = scaled(spec.channels, width)
        shapes[f"{spec.name}.weight"] = (out, channels, 3, 3, 3)
        shapes[f"{spec.name}.bias"] = (out,)
        channels = out
    return shapes
