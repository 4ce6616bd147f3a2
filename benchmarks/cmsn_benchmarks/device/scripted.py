"""A backend whose stages follow a script, so that every hop of any network has proposals to evaluate and to rank."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import TracebackType

import numpy as np

from cmsn_runtime.backends.asks import Evaluate, Extract, ExtractorState, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import Backend, own
from cmsn_runtime.stages import STAGE_COUNT, Stage

# One action after another, in steps: 20 of them are 6.4 seconds at 25 frames per second.
SCRIPT = (
    [Stage.BACKGROUND] * 6
    + [Stage.READY] * 2
    + [Stage.START] * 3
    + [Stage.CONFIRM] * 4
    + [Stage.END] * 3
    + [Stage.FOLLOW] * 2
)
_SURE = 0.9  # probability of the scripted stage
_APART = 7  # steps by which the scripts of cameras differ: not all of them find an action at the same hop


class ScriptedBackend:
    """A backend whose stage network runs, and whose answer is then replaced.

    A network that is untrained, or that sees nothing in a made-up film, proposes nothing: without the script a hop
    would lack what costs most after the networks. With it each has the work of a busy scene.
    A window is full from its first step on, as that of a camera that has run for a while.

    candidates: number of proposals of each Evaluate so far.
    """

    def __init__(self, backend: Backend) -> None:
        self.name = backend.name
        self.chunk_frames = backend.chunk_frames
        self.largest_batch = backend.largest_batch
        self.candidates: list[int] = []
        self._backend = backend
        self._windows = itertools.count()

    def new_state(self) -> ExtractorState:
        """See Backend."""
        return self._backend.new_state()

    def new_window(self, steps: int) -> _ScriptedWindow:
        """A window that its first step fills."""
        return _ScriptedWindow(self._backend, steps, begin=_APART * next(self._windows))

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend."""
        return self._backend.extract(asks)

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """Those of the script, after the network has run."""
        windows = [own(ask.window, _ScriptedWindow) for ask in asks]
        self._backend.stages([Stages(window.inner) for window in windows])
        return [window.scripted() for window in windows]

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend."""
        self.candidates += [len(ask.left) for ask in asks]
        inner = [Evaluate(own(ask.window, _ScriptedWindow).inner, ask.left, ask.right) for ask in asks]
        return self._backend.evaluate(inner)

    def close(self) -> None:
        """Release the backend."""
        self._backend.close()

    def __enter__(self) -> ScriptedBackend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _ScriptedWindow:
    """A window, and the number of the script's step that its next one has. begin: that of its first."""

    def __init__(self, backend: Backend, steps: int, *, begin: int) -> None:
        self.inner = backend.new_window(steps)
        self._steps = steps
        self._next = begin

    def __len__(self) -> int:
        return len(self.inner)

    def push(self, features: StepFeatures, /) -> None:
        """Append step features; the first also take the places of those that would have come before."""
        while len(features) and len(self.inner) < self._steps - len(features):
            self.inner.push(features[:1])
        self.inner.push(features)
        self._next += len(features)

    def close(self) -> None:
        """See FeatureWindow."""
        self.inner.close()

    def scripted(self) -> Floats:
        """Stage probabilities float32 [n, 6] of its steps, by the script."""
        count = len(self.inner)
        written = [SCRIPT[step % len(SCRIPT)] for step in range(self._next - count, self._next)]
        probabilities = np.full((count, STAGE_COUNT), (1 - _SURE) / (STAGE_COUNT - 1), np.float32)
        probabilities[np.arange(count), written] = _SURE
        return probabilities
