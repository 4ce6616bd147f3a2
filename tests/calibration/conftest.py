"""The demo bundle's extractor, and the largest values that its layers read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from cmsn_calibration.layers import Layer, quantisable
from cmsn_calibration.quantising import quantised
from cmsn_calibration.variant import write_int8_variant
from cmsn_calibration.watching import Watcher
from cmsn_runtime.bundle_files import locate_bundle, read_graph, read_manifest
from cmsn_runtime.pictures.example import moving_picture


@pytest.fixture(scope="session")
def folder() -> Path:
    return locate_bundle("demo")


@pytest.fixture(scope="session")
def extractor(folder: Path) -> bytes:
    return read_graph(folder, read_manifest(folder).variant("fp32").graphs["extractor"])


@pytest.fixture(scope="session")
def layers(extractor: bytes) -> tuple[Layer, ...]:
    return quantisable(onnx.load_from_string(extractor))


@pytest.fixture(scope="session")
def largest(extractor: bytes, layers: tuple[Layer, ...], folder: Path) -> dict[str, float]:
    """Of a moving picture, by tensor."""
    watcher = Watcher(extractor, [layer.activation for layer in layers])
    height, width, _ = read_manifest(folder).input_shape
    frames = moving_picture(np.random.default_rng(0), (height, width), 80)
    parts = [watcher.run(frames[begin : begin + 8]) for begin in range(0, 80, 8)]
    return {layer.activation: max(float(np.abs(part[layer.activation]).max()) for part in parts) for layer in layers}


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory,
    folder: Path,
    extractor: bytes,
    layers: tuple[Layer, ...],
    largest: dict[str, float],
) -> Path:
    """The demo bundle with an INT8 variant."""
    out = tmp_path_factory.mktemp("int8") / "demo8.cmsn"
    write_int8_variant(folder, quantised(extractor, largest, layers=[layer.name for layer in layers]), out=out)
    return out
