"""Ranges chosen by what they do to the features, and the damage of each layer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cmsn_calibration.choosing import choose_ranges, with_ranges
from cmsn_calibration.damage import Reference
from cmsn_calibration.histogram import NOTHING, Histogram
from cmsn_calibration.layers import Layer
from cmsn_calibration.watching import Watcher
from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.pictures.example import moving_picture

Layers = tuple[Layer, ...]


@pytest.fixture(scope="module")
def frames(folder: Path) -> np.ndarray:
    height, width, _ = read_manifest(folder).input_shape
    return moving_picture(np.random.default_rng(0), (height, width), 96)


def histograms(graph: bytes, layers: Layers, frames: np.ndarray) -> dict[str, Histogram]:
    watcher = Watcher(graph, [layer.activation for layer in layers])
    found = {layer.activation: NOTHING for layer in layers}
    for begin in range(0, len(frames), 8):
        values = watcher.run(frames[begin : begin + 8])
        found = {name: histogram + Histogram.of(values[name]) for name, histogram in found.items()}
    return found


def reference(graph: bytes, frames: np.ndarray) -> Reference:
    return Reference(graph, [(frames, 32)], stride=8, threads=1)


def with_an_outlier(graph: bytes, layer: Layer, after: Layer, factor: float) -> bytes:
    """The same network but for rounding: a channel of a layer is enlarged, and its weights in the next one reduced."""
    model = onnx.load_from_string(graph)
    for item in model.graph.initializer:
        values = numpy_helper.to_array(item).copy()
        if item.name in (layer.weights, layer.weights.replace("weight", "bias")):
            values[0] *= factor
        elif item.name == after.weights:
            values[:, 0] /= factor
        else:
            continue
        item.CopyFrom(numpy_helper.from_array(values, item.name))
    changed: bytes = model.SerializeToString()
    return changed


def test_the_same_graph_has_no_noise(extractor: bytes, frames: np.ndarray) -> None:
    assert reference(extractor, frames).signal_to_noise(extractor) == math.inf


def test_a_planted_outlier_is_the_layer_with_the_most_damage(
    extractor: bytes, layers: Layers, frames: np.ndarray
) -> None:
    """conv4a gives one channel of values fifty times as large: what reads it, conv4b, suffers."""
    planted = with_an_outlier(extractor, layers[3], layers[4], 50.0)
    assert reference(extractor, frames).signal_to_noise(planted) > 90
    found = choose_ranges(
        planted, layers, histograms(planted, layers, frames), reference(planted, frames), methods=["min-max"]
    )
    worst = min(found, key=lambda item: item.signal_to_noise)
    assert worst.layer == layers[4].name
    before = choose_ranges(
        extractor, layers, histograms(extractor, layers, frames), reference(extractor, frames), methods=["min-max"]
    )
    assert min(before, key=lambda item: item.signal_to_noise).layer != layers[4].name


def test_no_method_is_better_than_the_chosen_one(extractor: bytes, layers: Layers, frames: np.ndarray) -> None:
    counted, expected = histograms(extractor, layers, frames), reference(extractor, frames)
    best = choose_ranges(extractor, layers[:2], counted, expected)
    for method in ("min-max", "percentile", "mse", "entropy"):
        for one, other in zip(
            best, choose_ranges(extractor, layers[:2], counted, expected, methods=[method]), strict=True
        ):
            assert other.signal_to_noise <= one.signal_to_noise + 0.2  # ranges within 1 % are tried once


def test_layers_that_are_left_out_stay_float(extractor: bytes, layers: Layers, frames: np.ndarray) -> None:
    expected = reference(extractor, frames)
    ranges = choose_ranges(extractor, layers, histograms(extractor, layers, frames), expected, methods=["mse"])
    of = {item.layer: item.range for item in ranges}
    whole = expected.signal_to_noise(with_ranges(extractor, layers, of))
    names = [layer.name for layer in layers]
    assert whole < expected.signal_to_noise(with_ranges(extractor, layers, of, without=names[:5]))
    assert with_ranges(extractor, layers, of, without=names) == extractor
