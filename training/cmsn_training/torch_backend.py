"""The networks in torch behind the runtime's protocol: what is trained is judged by the pipeline that is deployed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.closing import Closing
from cmsn_training.models.cmsn import CMSN


class TorchState:
    """The extractor's state tensors of one camera."""

    def __init__(self, tensors: tuple[torch.Tensor, ...]) -> None:
        self.tensors = tensors


class TorchBackend(Closing):
    """Backend protocol over a CMSN, on the device its weights are on. The model is put into evaluation mode."""

    def __init__(self, model: CMSN) -> None:
        self.model = model.eval()
        self._device = model.extractor.mean.device
        self.chunk_frames: int | None = None
        self.name = f"torch ({self._device})"

    def close(self) -> None:
        """Nothing to let go of: the model belongs to the caller."""

    def new_state(self) -> TorchState:
        """Zeros: the state before the first frame."""
        return TorchState(self.model.extractor.new_state())

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

    @torch.inference_mode()
    def extract(
        self, frames: npt.NDArray[Any], state: TorchState, *, position: int, length: int
    ) -> npt.NDArray[np.float32]:
        """See Backend.extract."""
        chunk = torch.from_numpy(frames)[None].to(self._device)
        where, end = (torch.tensor([value], device=self._device) for value in (position, length))
        features, *rest = self.model.extractor(chunk, where, end, *state.tensors)
        state.tensors = tuple(rest)
        return _numpy(features[0])

    @torch.inference_mode()
    def stages(self, window: HostWindow) -> npt.NDArray[np.float32]:
        """See Backend.stages."""
        features = torch.from_numpy(window.features)[None].to(self._device)
        return _numpy(self.model.stages.probabilities(features)[0])

    @torch.inference_mode()
    def evaluate(
        self, window: HostWindow, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """See Backend.evaluate."""
        features, *rows = (torch.from_numpy(array).to(self._device) for array in (window.features, left, right))
        return _numpy(self.model.evaluator(features, *rows))


def _numpy(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.cpu().numpy()
    return array
