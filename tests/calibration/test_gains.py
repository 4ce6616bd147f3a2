"""Time that INT8 saves in each layer."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cmsn_calibration.choosing import with_ranges
from cmsn_calibration.gains import multiplications, saved_seconds
from cmsn_calibration.layers import Layer
from cmsn_runtime.bundle_files import read_manifest

Layers = tuple[Layer, ...]


def test_multiplications_are_those_of_the_convolution_s_definition(
    folder: Path, extractor: bytes, layers: Layers
) -> None:
    found = multiplications(folder, extractor, layers)
    height, width, _ = read_manifest(folder).input_shape
    first = layers[0]  # conv2a: 8 frames a step, after one pool of 2x2 in space
    outputs = first.shape[0] * 8 * (height // 2) * (width // 2)
    assert found[first.name] == outputs * math.prod(first.shape[1:])
    assert set(found) == {layer.name for layer in layers}


def test_where_nothing_runs_int8_fast_multiplications_stand_for_time(
    folder: Path, extractor: bytes, layers: Layers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmsn_calibration.gains.int8_backend", lambda: "onnxruntime-int8")
    found = saved_seconds(folder, extractor, layers, lambda floats: extractor)
    work = multiplications(folder, extractor, layers)
    assert sum(found.values()) == pytest.approx(1.0)
    assert max(found, key=found.__getitem__) == max(work, key=work.__getitem__)


def test_every_layer_is_timed_once_float(
    folder: Path, extractor: bytes, layers: Layers, largest: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    built: list[tuple[str, ...]] = []
    ranges = {layer.name: largest[layer.activation] for layer in layers}

    def lowered(floats: object) -> bytes:
        assert isinstance(floats, list)
        built.append(tuple(floats))
        return with_ranges(extractor, layers, ranges, without=floats)

    monkeypatch.setattr("cmsn_calibration.speed._SECONDS", 0.01)
    found = saved_seconds(folder, extractor, layers[:2], lowered)
    assert set(found) == {layer.name for layer in layers[:2]}
    assert built == [(), (layers[0].name,), (layers[1].name,)]
