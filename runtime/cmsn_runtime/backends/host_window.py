"""A window of step features in host memory."""

from __future__ import annotations

import numpy as np

from cmsn_runtime.backends.asks import Floats, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.errors import BackendError, SettingsError


class HostWindow:
    """FeatureWindow protocol over an array; the steps it holds are always contiguous.

    steps: its size, at least 1. The array is twice as long, so that rows are moved only once every `steps` steps.
    """

    def __init__(self, steps: int) -> None:
        if steps < 1:
            raise SettingsError(f"a window of {steps} steps was asked for; it must hold at least 1")
        self._steps = steps
        self._rows: Floats | None = None  # created with the first features, whose width it has
        self._begin = self._end = 0
        self._closed = False

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def features(self) -> Floats:
        """Float32 [n, C], oldest first. A view: the next `push` changes it. Raises BackendError where it is empty."""
        self._require_open()
        if self._rows is None:
            raise BackendError("the window is empty; push step features into it first")
        return self._rows[self._begin : self._end]

    def push(self, features: StepFeatures) -> None:
        """Append step features [n, C]. Raises BackendError for more than the window's size."""
        self._require_open()
        count = len(features)
        if count > self._steps:
            raise BackendError(
                f"{count} steps were pushed at once; this window takes {self._steps}; push fewer at once"
            )
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
            raise BackendError("this window is closed: its sequence has ended; create another with new_window()")


def on_host(features: StepFeatures) -> Floats:
    """Step features float32 [n, C] of a backend that keeps them in arrays. Raises BackendError for any other."""
    steps: Floats = own(features, np.ndarray)
    return steps
