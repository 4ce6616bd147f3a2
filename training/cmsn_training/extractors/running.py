"""Runs one network on ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.session import opened_session
from cmsn_runtime.backends.ports import one_line
from cmsn_runtime.backends.threads import usual_threads
from cmsn_runtime.errors import BackendError, SettingsError

Floats = npt.NDArray[np.float32]

_CLOSE = 1e-3  # relative; converted and batched graphs differ in rounding only


class NetworkRun:
    """A network of one input and one output. path: for messages. graph: ONNX bytes. Raises SettingsError."""

    def __init__(self, path: Path, graph: bytes) -> None:
        self._path = path
        try:
            self._session: Any = opened_session("network", graph, usual_threads(len(graph)), Provider())
        except BackendError as error:
            reason = one_line(error.__cause__) if isinstance(error.__cause__, Exception) else str(error)
            raise SettingsError(
                f"{path}: ONNX Runtime cannot load it ({reason}); export the network again, with opset_version=17"
            ) from error
        self._name: str = self._session.get_inputs()[0].name

    def takes(self, snippets: int) -> bool:
        """Whether that number of snippets is allowed."""
        first = self._session.get_inputs()[0].shape[0]
        return not isinstance(first, int) or first == snippets

    def __call__(self, snippets: Floats) -> Floats:
        """Snippets [n, ...] -> its output. Raises SettingsError."""
        try:
            (values,) = self._session.run(None, {self._name: snippets})
        except Exception as error:  # the only base class that ONNX Runtime's exceptions share
            raise SettingsError(
                f"{self._path}: ONNX Runtime cannot run it on {list(snippets.shape)} ({one_line(error)}); check `size`"
                ", `frames` and `layout`"
            ) from error
        return cast(Floats, np.asarray(values, np.float32))


def example(shape: tuple[int, ...]) -> Floats:
    """Three different snippets of noise."""
    return np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)


def agree(first: Floats, second: Floats) -> bool:
    """Whether two results are the same up to rounding."""
    if first.shape != second.shape:
        return False
    largest = float(np.abs(second).max(initial=0.0))
    return bool(np.abs(first - second).max(initial=0.0) <= _CLOSE * max(largest, 1e-6))
