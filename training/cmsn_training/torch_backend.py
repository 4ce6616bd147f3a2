"""The networks in torch behind the runtime's protocol: what is trained is evaluated by the deployed pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.joining import joined_rows, split_scores
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError
from cmsn_training.models.cmsn import CMSN

_LARGEST_BATCH = 16


class TorchState:
    """The extractor's state tensors [1, ...] of one camera; None once it is closed."""

    def __init__(self, tensors: tuple[torch.Tensor, ...]) -> None:
        self.tensors: tuple[torch.Tensor, ...] | None = tensors

    def close(self) -> None:
        """Release them."""
        self.tensors = None

    @property
    def held(self) -> tuple[torch.Tensor, ...]:
        """The tensors. Raises BackendError once they are released."""
        if self.tensors is None:
            raise BackendError("this state is closed: its sequence has ended; create another with new_state()")
        return self.tensors


class TorchBackend(Closing):
    """Backend protocol over a CMSN, on the device its weights are on. The model is put into evaluation mode."""

    def __init__(self, model: CMSN) -> None:
        self.model = model.eval()
        self._device = model.extractor.mean.device
        self.chunk_frames: int | None = None
        self.largest_batch = _LARGEST_BATCH
        self.name = f"torch ({self._device})"

    def close(self) -> None:
        """Nothing to release: the model belongs to the caller."""

    def new_state(self) -> TorchState:
        """Zeros: the state before the first frame."""
        return TorchState(self.model.extractor.new_state())

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

    @torch.inference_mode()
    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        states = [own(ask.state, TorchState) for ask in asks]
        chunks = torch.from_numpy(np.stack([ask.frames for ask in asks])).to(self._device)
        position = torch.tensor([ask.position for ask in asks], device=self._device)
        length = torch.tensor([ask.length for ask in asks], device=self._device)
        past = [torch.cat(parts) for parts in zip(*(state.held for state in states), strict=True)]
        features, *following = self.model.extractor(chunks, position, length, *past)
        for state, *parts in zip(states, *(tensor.split(1) for tensor in following), strict=True):
            state.tensors = tuple(parts)
        return list(_numpy(features))

    @torch.inference_mode()
    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        windows = np.stack([own(ask.window, HostWindow).features for ask in asks])
        return list(_numpy(self.model.stages.probabilities(torch.from_numpy(windows).to(self._device))))

    @torch.inference_mode()
    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        windows = np.concatenate([own(ask.window, HostWindow).features for ask in asks])
        arrays = (torch.from_numpy(array).to(self._device) for array in (windows, *joined_rows(asks)))
        return split_scores(_numpy(self.model.evaluator(*arrays)), asks)


def _numpy(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.cpu().numpy()
    return array
