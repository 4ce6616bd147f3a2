"""Compiles and loads everything that the first hop needs, before it comes."""

from __future__ import annotations

import numpy as np

from cmsn_runtime.backends.asks import Evaluate, Extract, Stages
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.proposing.pipeline import warm_up_kernels
from cmsn_runtime.timegrid import TimeGrid


def warm_up(backend: Backend, grid: TimeGrid, *, input_shape: tuple[int, ...], roi_bins: int) -> None:
    """Compile the kernels, or load them from disk, and run each network once.

    Without it the first hop of a stream took 10 s where nothing was compiled yet, otherwise 0.5 s.
    """
    warm_up_kernels()
    pictures = len(input_shape) == 3
    shape = (backend.chunk_frames or grid.stride, *input_shape)
    moments = np.zeros(shape, np.uint8 if pictures else np.float32)
    state, window = backend.new_state(), backend.new_window(grid.window)
    try:
        (features,) = backend.extract([Extract(moments, state, 0, UNKNOWN_LENGTH)])
        for _ in range(grid.window):
            window.push(features[:1])
        backend.stages([Stages(window)])
        rows = np.zeros((1, roi_bins), np.int64)
        backend.evaluate([Evaluate(window, rows, rows)])
    finally:
        window.close()
        state.close()
