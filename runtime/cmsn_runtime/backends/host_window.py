"""A window of step features in host memory."""

from __future__ import annotations

import numpy as np

from cmsn_runtime.backends.asks import Floats, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.errors import BackendError, SettingsError


class HostWindow:
    """FeatureWindow protocol over an array; what it holds always lies in one piece.

    steps: its size, at least 1. The array is twice as long, so that only every `steps` steps something is moved.
    """

    def __init__(self, steps: int) -> None:
        if steps < 1:
            raise SettingsError(f"a window of {steps} steps: it must hold at least 1")
        self._steps = steps
        self._rows: Floats | None = None  # its width comes with the first features
        self._begin = self._end = 0
        self._closed = False

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def features(self) -> Floats:
        """Float32 [n, C], oldest first. A view: the next `push` changes it. BackendError where there are none."""
        self._require_open()
        if self._rows is None:
            raise BackendError("the window is empty; push step features into it first")
        return self._rows[self._begin : self._end]

    def push(self, features: StepFeatures) -> None:
        """Take in step features [n, C]. Raises BackendError for more than the window's size."""
        self._require_open()
        count = len(features)
        if count > self._steps:
            raise BackendError(f"{count} steps at once for a window of {self._steps}; push them in smaller parts")
        steps = on_host(features)
        if self._rows is None:
            self._rows = np.empty((2 * self._steps, steps.shape[1]), dtype=np.float32)
        if self._end + count > len(self._rows):
            kept = min(len(self), self._steps - count)
            self._rows[:kept] = self._rows[self._end - kept : self._end].copy()
            self._begin, self._end = 0, kept
        self._rows[self._end : self._end + count] = steps
        self._end += count
        self._begin = max(self._begin, self._end - self._steps)

    def close(self) -> None:
        """Release the array; the window refuses everything afterwards."""
        self._closed = True
        self._rows = None
        self._begin = self._end = 0

    def _require_open(self) -> None:
        if self._closed:
            raise BackendError("this window is closed: its sequence has ended; make another one with new_window()")


def on_host(features: StepFeatures) -> Floats:
    """Step features float32 [n, C] of a backend that keeps them in arrays. Raises BackendError for any other."""
    steps: Floats = own(features, np.ndarray)
    return steps
