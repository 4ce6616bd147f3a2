"""The stage network and the evaluator on ONNX Runtime: windows in host memory go in, scores come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cmsn_runtime.backends.asks import Evaluate, Floats, Stages
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.joining import joined_rows, split_scores
from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.onnxruntime.session import GraphSession


class HostScorer:
    """Runs both graphs over windows; several threads may share it.

    graphs: name -> ONNX bytes of `stages` and `evaluator`. threads: number per operator.
    Raises BackendError where a graph cannot be loaded.
    """

    def __init__(self, graphs: Mapping[str, bytes], *, threads: int, provider: Provider) -> None:
        self._stages, self._evaluator = (
            GraphSession(name, graphs[name], threads=threads, provider=provider) for name in ("stages", "evaluator")
        )
        self._most_proposals = provider.most_proposals
        self.feature_channels: int = _side(self._stages, "features", 2)
        self.roi_bins: int = _side(self._evaluator, "left", 1)

    def close(self) -> None:
        """Release the sessions."""
        self._stages.close()
        self._evaluator.close()

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        windows = [own(ask.window, HostWindow).features for ask in asks]
        batch = np.stack(windows) if len(windows) > 1 else windows[0][None]
        return list(self._stages.run({"features": batch})[0])

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        windows = [own(ask.window, HostWindow).features for ask in asks]
        features = np.concatenate(windows) if len(windows) > 1 else windows[0]
        left, right = joined_rows(asks)
        most = self._most_proposals or max(1, len(left))
        parts = [slice(begin, begin + most) for begin in range(0, len(left), most)] or [slice(0)]
        scores = [
            self._evaluator.run({"features": features, "left": left[part], "right": right[part]})[0] for part in parts
        ]
        return split_scores(np.concatenate(scores), asks)


def _side(session: GraphSession, name: str, axis: int) -> int:
    side = session.inputs[name].shape[axis]
    return side if isinstance(side, int) else -1  # one that is not fixed is no side of a manifest
