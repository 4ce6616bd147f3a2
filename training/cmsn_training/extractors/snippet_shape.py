"""The shape of one snippet, from a network's file and its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cmsn_runtime.errors import SettingsError
from cmsn_training.extractor_config import CHANNELS, NetworkConfig


def snippet_shape(path: Path, given: Any, network: NetworkConfig, *, crop: tuple[int, int] | None) -> tuple[int, ...]:
    """Sizes of the axes after the first. given: the input's ONNX type. crop: see read_network. Raises SettingsError."""
    declared = [item.dim_value or None for item in given.shape.dim]
    if len(declared) != len(network.layout):
        raise SettingsError(
            f"{path}: its input has {len(declared)} axes {_shown(declared)}; layout {network.layout!r} has "
            f"{len(network.layout)}; set `layout`: {_LAYOUTS}"
        )
    axes = dict(zip(network.layout, declared, strict=True))
    channels = CHANNELS[network.input]
    stacked = "t" not in axes
    wanted = {"c": channels * network.frames if stacked else channels, "t": network.frames}
    for axis, size in wanted.items():
        if axes.get(axis) not in (None, size):
            raise SettingsError(
                f"{path}: its input is {_shown(declared)} in layout {network.layout!r}: {axes[axis]} {_AXES[axis]}; "
                f"{network.frames} frames of {network.input} have {size}; correct `frames`, `input` or `layout`"
            )
    height, width = _size(path, network, axes.get("h"), axes.get("w"), crop)
    sizes = {**wanted, "h": height, "w": width}
    return tuple(sizes[axis] for axis in network.layout[1:])


def _size(
    path: Path, network: NetworkConfig, height: int | None, width: int | None, crop: tuple[int, int] | None
) -> tuple[int, int]:
    given = network.size or crop
    found = (height or (given and given[0]), width or (given and given[1]))
    if found[0] is None or found[1] is None:
        raise SettingsError(f"{path}: leaves its height and width open; set `size` = [height, width]")
    if network.size is not None and network.size != found:
        raise SettingsError(f"{path}: takes {found[0]} x {found[1]} pixels; size is {list(network.size)}; correct it")
    return found[0], found[1]


_LAYOUTS = '"nchw" and "nhwc" for stacked frames, "ncthw", "ntchw" and "nthwc" for clips'
_AXES = {"c": "channels", "t": "frames"}


def _shown(sizes: list[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in sizes) + "]"
