"""How much time INT8 saves in each layer: decides, with its noise, which layers stay float."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from cmsn_calibration.comparing import int8_backend
from cmsn_calibration.layers import Layer
from cmsn_calibration.speed import Runner, step_seconds
from cmsn_calibration.variant import write_int8_variant
from cmsn_calibration.watching import Watcher
from cmsn_runtime.bundle_files import read_manifest

_ALL = ""


def saved_seconds(
    folder: Path, graph: bytes, layers: Sequence[Layer], lowered: Callable[[Sequence[str]], bytes]
) -> Mapping[str, float]:
    """Layer -> what one step takes longer with this layer float and all others in INT8.

    graph: the extractor in FP32. lowered: the extractor in which the named layers stay float. Measured where OpenVINO
    runs INT8; ONNX Runtime has no kernel for it, so that its times say nothing: there the multiplications of a layer
    stand for its time, scaled to a second for all of them.
    """
    if not int8_backend().startswith("openvino"):
        work = multiplications(folder, graph, layers)
        return {name: count / sum(work.values()) for name, count in work.items()}
    with tempfile.TemporaryDirectory() as temporary:
        runners = {}
        for number, name in enumerate([_ALL, *(layer.name for layer in layers)]):
            bundle = Path(temporary) / f"{number}.cmsn"
            write_int8_variant(folder, lowered([name] if name else []), out=bundle)
            runners[name] = Runner(bundle, int8_backend())
        times = step_seconds(runners)
    quick = times.pop(_ALL)
    return {name: median(np.subtract(own, quick).tolist()) for name, own in times.items()}


def multiplications(folder: Path, graph: bytes, layers: Sequence[Layer]) -> Mapping[str, int]:
    """Layer -> multiplications of one step. folder: of the bundle that the FP32 graph is from."""
    manifest = read_manifest(folder)
    height, width, _ = manifest.input_shape
    frames = np.zeros((manifest.grid.stride, height, width, 3), np.uint8)
    found = Watcher(graph, [layer.output for layer in layers]).run(frames)
    return {layer.name: int(found[layer.output].size) * math.prod(layer.shape[1:]) for layer in layers}
