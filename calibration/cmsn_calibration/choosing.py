"""Decides the range of each layer, and measures what the layer costs in INT8, by itself and with all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cmsn_calibration.damage import Reference
from cmsn_calibration.histogram import Histogram
from cmsn_calibration.layers import Layer
from cmsn_calibration.quantising import quantised
from cmsn_calibration.ranges import METHODS, find_range

_SAME = 0.01  # relative: ranges closer than this are one


@dataclass(frozen=True, slots=True)
class LayerRange:
    """What a layer reads, in INT8.

    layer: its name. method: the one that found `range`, the largest absolute value that is not clipped; largest: that
    which was seen. signal_to_noise: in dB, of the features with this layer alone in INT8.
    """

    layer: str
    method: str
    range: float
    largest: float
    signal_to_noise: float


def choose_ranges(
    graph: bytes,
    layers: Sequence[Layer],
    histograms: Mapping[str, Histogram],
    reference: Reference,
    *,
    methods: Sequence[str] = tuple(METHODS),
    progress: Callable[[], object] = lambda: None,
) -> tuple[LayerRange, ...]:
    """The range of each layer by the method whose features are closest to FP32, with this layer alone in INT8.

    graph: the extractor in FP32. histograms: by tensor, of all that the layers read. progress: called after each layer.
    Raises SettingsError for an unknown method, or a layer that only read zeros.
    """
    found = []
    for layer in layers:
        histogram = histograms[layer.activation]
        tried: list[LayerRange] = []
        for method in methods:
            value = find_range(histogram, method)
            if not any(abs(value - other.range) <= _SAME * other.range for other in tried):
                lowered = quantised(graph, {layer.activation: value}, layers=[layer.name])
                quality = reference.signal_to_noise(lowered)
                tried.append(LayerRange(layer.name, method, value, histogram.largest, quality))
        found.append(max(tried, key=lambda item: item.signal_to_noise))
        progress()
    return tuple(found)


def with_ranges(
    graph: bytes, layers: Sequence[Layer], ranges: Mapping[str, float], *, without: Sequence[str] = ()
) -> bytes:
    """The extractor with these layers in INT8, but for those named. ranges: of what each reads, by layer."""
    lowered = [layer for layer in layers if layer.name not in without]
    return quantised(
        graph, {layer.activation: ranges[layer.name] for layer in lowered}, layers=[layer.name for layer in lowered]
    )
