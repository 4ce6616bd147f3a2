"""How fast the precisions of a bundle are on this machine, in turns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.backends.openvino.library import capabilities, is_installed
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.manifest.contents import Manifest
from cmsn_runtime.pictures.example import moving_picture

_ROUNDS, _SECONDS = 5, 0.3
_MIDDLE = 800  # frames into a stream


def backends_here() -> list[str]:
    """Those that run a bundle with an INT8 variant on this machine's processor."""
    if not is_installed():
        return ["onnxruntime", "onnxruntime-int8"]
    there = capabilities()
    halves = [f"openvino-{name.lower()}" for name in ("BF16", "FP16", "INT8") if name in there]
    return ["onnxruntime", "onnxruntime-int8", "openvino", *halves]


def speeds(folder: Path, names: Sequence[str]) -> Mapping[str, float]:
    """Backend -> frames per second of the extractor with one step a call: medians of five turns."""
    with ExitStack() as stack:
        opened = {name: stack.enter_context(open_bundle(folder, backend=name)) for name in names}
        hops = {name: _Hop(bundle.backend, bundle.manifest) for name, bundle in opened.items()}
        turns = [{name: hop.frames_per_second() for name, hop in hops.items()} for _ in range(_ROUNDS)]
    return {name: median(turn[name] for turn in turns) for name in names}


class _Hop:
    """One step of one camera, over and over."""

    def __init__(self, backend: Backend, manifest: Manifest) -> None:
        height, width, _ = manifest.input_shape
        self._frames = moving_picture(np.random.default_rng(0), (height, width), manifest.grid.stride)
        self._backend, self._state = backend, backend.new_state()
        self._run()

    def frames_per_second(self) -> float:
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < _SECONDS:
            self._run()
            count += 1
        return count * len(self._frames) / (time.perf_counter() - begin)

    def _run(self) -> None:
        answer_alone(extract(self._frames, self._state, position=_MIDDLE, length=UNKNOWN_LENGTH), self._backend)
