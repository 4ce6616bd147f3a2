"""ONNX Runtime's way to run a hop of several cameras, with states that stay on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]

from cmsn_benchmarks.gpu.inputs import POOL, POSITION, pictures
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.onnxruntime.provider import Provider, on_device
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.manifest.contents import FULL_PRECISION


class OrtWay:
    """A hop of some cameras on CUDA, with the FP16 graph; on the CPU with the FP32 one."""

    def __init__(self, bundle: Path, cameras: int, *, device: str) -> None:
        manifest = read_manifest(bundle)
        precision = manifest.gpu_precision if device == "cuda" else FULL_PRECISION
        graphs = manifest.variant(precision).graphs
        provider = Provider("cuda" if device == "cuda" else "cpu")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        provider.prepare()
        graph, providers = read_graph(bundle, graphs["extractor"]), provider.listed("extractor")
        self._session: Any = onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
        provider.check(self._session, "extractor")
        self.name = f"ONNX Runtime {precision.upper()}"
        self._device = device
        shape = (manifest.grid.stride, *manifest.input_shape)
        self._inputs = [on_device(array, device) for array in pictures(cameras, shape)]
        counters = {"position": POSITION, "length": UNKNOWN_LENGTH}
        self._fixed = {name: on_device(np.full(cameras, value), device) for name, value in counters.items()}
        self._states = {
            f"past.{state.name}": on_device(np.zeros((cameras, *state.shape), state.dtype), device)
            for state in manifest.state_tensors(precision)
        }
        self._binding: Any = None

    def hop(self, turn: int) -> None:
        """See Way.hop; ONNX Runtime waits for the device at the end of every run."""
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("frames", self._inputs[turn % POOL])
        for name, value in (*self._fixed.items(), *self._states.items()):
            binding.bind_ortvalue_input(name, value)
        for item in self._session.get_outputs():
            binding.bind_output(item.name, self._device, 0)
        self._session.run_with_iobinding(binding)
        _, *following = binding.get_outputs()
        self._states = dict(zip(self._states, following, strict=True))
        self._binding = binding

    def wait(self) -> None:
        """See Way.wait."""
        self._binding.synchronize_outputs()

    def close(self) -> None:
        """See Way.close."""
        self._states, self._fixed, self._inputs = {}, {}, []
        self._binding = self._session = None
