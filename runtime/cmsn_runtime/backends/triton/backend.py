"""The Backend protocol over a Triton server: frames go out, features come back; states stay on the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import Arithmetic, own
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.triton.kserve import KServeClient, ServerAddress
from cmsn_runtime.backends.triton.models import model_name
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import FULL_PRECISION, Manifest

TIMEOUT_SECONDS = 20.0
_BATCH = 32  # requests under way: the server makes batches of those of one moment

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class SequenceState:
    """A camera's sequence on the server. It begins with the first chunk, and is ended by `close`."""

    def __init__(self, backend: TritonBackend) -> None:
        self._backend = backend
        self.number = int.from_bytes(os.urandom(7), "big") + 1  # 0 is none; one that no other client has
        self.begun = False
        self.closed = False

    def close(self) -> None:
        """End it, so that another camera can have its place. May be called twice."""
        if not self.closed:
            self.closed = True
            if self.begun:
                self._backend.end(self)


class TritonBackend(Closing):
    """A server that has the models of a bundle, as `cmsn triton` writes them.

    The stream, its window, proposals and tracker stay here: one state machine, whatever computes the networks. A
    request that fails raises BackendError: a live camera begins a new segment then, with a new sequence.
    """

    def __init__(self, manifest: Manifest, address: ServerAddress, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._manifest = manifest
        self._client = KServeClient(address, timeout=timeout)
        self._pool = ThreadPoolExecutor(_BATCH, thread_name_prefix="cmsn-triton")
        server = self._client.get("/v2")
        extractor = self._metadata("extractor")
        frames = next((item for item in extractor["inputs"] if item["name"] == "frames"), None)
        if frames is None:
            raise BackendError(
                f"{address}: {model_name(manifest, 'extractor')} takes no frames; was it written by cmsn?"
            )
        self.chunk_frames: int | None = int(frames["shape"][1])
        self.input_shape: tuple[int, ...] = tuple(int(side) for side in frames["shape"][2:])
        self.feature_channels = int(extractor["outputs"][0]["shape"][-1])
        left = next(item for item in self._metadata("evaluator")["inputs"] if item["name"] == "left")
        self.roi_bins = int(left["shape"][-1])
        self.largest_batch = _BATCH
        self.arithmetic = Arithmetic(library="triton", device="server", variant=FULL_PRECISION)
        self.name = f"Triton {server.get('version', '?')} at {address}"

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def new_state(self) -> SequenceState:
        """See Backend.new_state."""
        return SequenceState(self)

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        return self._together(self._extract, asks)

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        return self._together(self._stages, asks)

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        return self._together(self._evaluate, asks)

    def end(self, state: SequenceState) -> None:
        """End a sequence. The server wants a chunk for it; a failure is none: it ends idle sequences itself."""
        blank = np.zeros((self.chunk_frames or 1, *self.input_shape), np.uint8)
        with suppress(BackendError):
            self._chunk(blank, state, position=0, length=0, begins=False, ends=True)

    def _extract(self, ask: Extract) -> StepFeatures:
        state = own(ask.state, SequenceState)
        if state.closed:
            raise BackendError("this state is closed: its sequence has ended; create another with new_state()")
        begins, state.begun = not state.begun, True
        try:
            return self._chunk(ask.frames, state, position=ask.position, length=ask.length, begins=begins, ends=False)
        except BackendError:
            state.begun = False  # nobody waits once more to end it: the server ends it when it is idle
            raise

    def _chunk(
        self, frames: npt.NDArray[Any], state: SequenceState, *, position: int, length: int, begins: bool, ends: bool
    ) -> Floats:
        feeds = {
            "frames": frames[None],
            "position": np.array([[position]], np.int64),
            "length": np.array([[length]], np.int64),
        }
        sequence = {"sequence_id": state.number, "sequence_start": begins, "sequence_end": ends}
        features: Floats = self._infer("extractor", feeds, "features", parameters=sequence)[0]
        return features

    def _stages(self, ask: Stages) -> Floats:
        window = own(ask.window, HostWindow).features
        probabilities: Floats = self._infer("stages", {"features": window[None]}, "probabilities")[0]
        return probabilities

    def _evaluate(self, ask: Evaluate) -> Floats:
        window = own(ask.window, HostWindow).features
        return self._infer("evaluator", {"features": window, "left": ask.left, "right": ask.right}, "scores")

    def _infer(
        self,
        part: str,
        feeds: dict[str, npt.NDArray[Any]],
        output: str,
        *,
        parameters: Mapping[str, object] | None = None,
    ) -> npt.NDArray[Any]:
        return self._client.infer(model_name(self._manifest, part), feeds, output, parameters=parameters)

    def _together(self, work: Callable[[Ask], Answer], asks: Sequence[Ask]) -> list[Answer]:
        """Requests of one moment at once: the server puts them into one batch."""
        return [work(asks[0])] if len(asks) == 1 else list(self._pool.map(work, asks))

    def _metadata(self, part: str) -> Any:
        return self._client.get(f"/v2/models/{model_name(self._manifest, part)}")
