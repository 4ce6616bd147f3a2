"""The networks on TensorRT engines, chained on the device: only stage and proposal scores come back."""

from __future__ import annotations

import atexit
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Moments, Rows, Stages, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.tensorrt.cuda import Device, DeviceMemory
from cmsn_runtime.backends.tensorrt.engine import Recording, Tensor, TensorRTEngine
from cmsn_runtime.backends.tensorrt.engine_files import Engine
from cmsn_runtime.backends.tensorrt.library import load_tensorrt, new_logger, new_runtime
from cmsn_runtime.backends.tensorrt.memory import FLOAT_BYTES, DeviceFeatures, DeviceState, DeviceWindow, StateMemory
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError
from cmsn_runtime.stages import STAGE_COUNT

_SMALLEST_BATCH = 32  # of proposals; batches are padded to powers of two, so that few graphs serve all counts
_FAR = 2**20  # frames; no receptive field reaches so far
_END_UNKNOWN = 2**30  # frames


# Closed before the interpreter takes the context away: what pycuda frees later is lost, with a warning.
_open_backends: weakref.WeakSet[TensorRTBackend] = weakref.WeakSet()


class TensorRTBackend(Closing):
    """Backend protocol over three engines, on one GPU and one stream. Streams in several threads may share it.

    engines: `extractor`, `stages` and `evaluator`. stride: frames a step. window: the usual number of its steps.
    command: what builds the engines again, for messages. index: of the GPU.

    A camera's states never leave the device; frames go there as bytes. Work that repeats itself is captured as CUDA
    graphs where cuda-bindings is installed. Raises BackendError where the GPU or TensorRT will not have it.
    """

    def __init__(
        self, engines: Mapping[str, Engine], *, stride: int, window: int, command: str, index: int = 0
    ) -> None:
        self.trt = load_tensorrt()
        self.device = Device(index)
        self._open = True
        self.largest_batch = 1
        self._runtime: Any = None
        self._held_version = 0
        self._frames_read: Any = None  # an event: the device has taken in the last chunk
        self._stride = stride
        self._recordings: dict[tuple[str, int], Recording | None] = {}  # (graph, size) -> its repeated work
        self._pool: deque[StateMemory] = deque()
        self._windows: dict[int, deque[DeviceMemory]] = {}
        self._owned: list[Any] = []  # all that has memory, in the order it came
        self._engines: dict[str, TensorRTEngine] = {}
        try:
            with self.device.current():
                self._load(engines, command)
                self._prepare(window)
        except BaseException:
            with suppress(BackendError):  # what went wrong first is what is told
                self.close()
            raise
        _open_backends.add(self)
        precision = engines["extractor"].key.precision.upper()
        self.name = f"TensorRT {self.trt.__version__} ({self.device.facts.name}, {precision})"

    def close(self) -> None:
        """Wait for the device and let go of everything, in order; states and windows are of no use afterwards."""
        if not self._open:
            return
        self._open = False
        with self.device.current():
            self.device.synchronize()
            for recording in filter(None, self._recordings.values()):
                recording.forget()
            for owned in reversed(self._owned):
                owned.free()
            self._frames_read = None
            for part in self._engines.values():
                part.close()
            self._runtime = None
        self._owned.clear()
        self._pool.clear()
        self.device.close()

    @property
    def states(self) -> Mapping[str, Tensor]:
        """The extractor's states as its engine has them, by name."""
        return self._states

    def new_state(self) -> DeviceState:
        """See Backend.new_state. Memory of states that nobody holds any more is used again."""
        with self.working():
            memory = self._pool.popleft() if self._pool else self._new_state_memory()
            memory.clear()
        state = DeviceState(memory)
        weakref.finalize(state, self._pool.append, memory).atexit = False
        return state

    def new_window(self, steps: int) -> DeviceWindow:
        """See Backend.new_window. Raises BackendError for more steps than the engines take."""
        if not 1 <= steps <= self._window:
            raise BackendError(f"a window of {steps} steps: these engines take from 1 to {self._window}")
        free = self._windows.setdefault(steps, deque())
        with self.working():
            memory = free.popleft() if free else self._own(self.device.memory(2 * steps * self._row_bytes))
        window = DeviceWindow(self, memory, steps, self._row_bytes)
        weakref.finalize(window, free.append, memory).atexit = False
        return window

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract; nothing waits for the device here."""
        return [self._extract(ask.frames, own(ask.state, DeviceState), ask.position, ask.length) for ask in asks]

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        return [self._stages(own(ask.window, DeviceWindow)) for ask in asks]

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        return [self._evaluate_window(own(ask.window, DeviceWindow), ask.left, ask.right) for ask in asks]

    def _extract(self, frames: Moments, state: DeviceState, position: int, length: int) -> DeviceFeatures:
        self._check_frames(frames)
        with self.working():
            self._frames_read.synchronize()  # until then the staging buffers belong to the last chunk
            self._frames.host[0] = frames
            self._position.host[0], self._length.host[0] = counters(position, length, stride=self._stride)
            for staging in (self._frames, self._position, self._length):
                staging.upload()
            if not self.device.facts.integrated:  # copied: the next camera need not wait for this one's run
                self._frames_read.record(self.device.stream)
            memory = state.memory
            past, following = memory.sides[state.side], memory.sides[1 - state.side]
            addresses = {
                self._input: self._frames.address,
                "position": self._position.address,
                "length": self._length.address,
                "features": memory.features.address,
                **{f"past.{name}": part.address for name, part in past.items()},
                **{f"next.{name}": part.address for name, part in following.items()},
            }
            self._engines["extractor"].run(addresses, self._extractor_shapes, memory.recordings[state.side])
            if self.device.facts.integrated:  # read where they lie
                self._frames_read.record(self.device.stream)
            state.side, state.turn = 1 - state.side, state.turn + 1
        return DeviceFeatures(state, state.turn, 0, self._steps_a_chunk)

    def _stages(self, window: DeviceWindow) -> Floats:
        steps = len(window)
        if not steps:
            raise BackendError("the window is empty; push step features into it first")
        with self.working():
            self._hold(window)
            self._engines["stages"].run(
                {"features": self._held.address, "probabilities": self._probabilities.address},
                {"features": (1, steps, self.feature_channels)},
                self._recording("stages", steps) if steps == self._window else None,
            )
            self._probabilities.download(steps)
            self.device.synchronize()
            probabilities: npt.NDArray[np.float32] = self._probabilities.host[:steps].copy()
        return probabilities

    def _evaluate_window(self, window: DeviceWindow, left: Rows, right: Rows) -> Floats:
        scores = np.empty(len(left), np.float32)
        with self.working():
            self._hold(window)
            for begin in range(0, len(left), self._most_proposals):
                part = slice(begin, begin + self._most_proposals)
                scores[part] = self._evaluate(len(window), left[part], right[part])
        return scores

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the device, if the backend is open."""
        if not self._open:
            raise BackendError("the backend is closed; an open one is needed; open the bundle again")
        with self.device.current():
            yield

    def _evaluate(
        self, steps: int, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Proposals of one batch, with the window already held."""
        count, size = len(left), _SMALLEST_BATCH
        while size < count:
            size *= 2
        size = min(size, self._most_proposals)
        for staging, rows in ((self._left, left), (self._right, right)):
            staging.host[:count] = rows
            staging.host[count:size] = 0
            staging.upload(size)
        self._engines["evaluator"].run(
            {
                "features": self._held.address,
                "left": self._left.address,
                "right": self._right.address,
                "scores": self._scores.address,
            },
            {
                "features": (steps, self.feature_channels),
                "left": (size, self.roi_bins),
                "right": (size, self.roi_bins),
            },
            self._recording("evaluator", size) if steps == self._window else None,
        )
        self._scores.download(size)
        self.device.synchronize()
        scores: npt.NDArray[np.float32] = self._scores.host[:count].copy()
        return scores

    def _hold(self, window: DeviceWindow) -> None:
        """Enqueue a copy of the window to where the engines read it, unless it is there: a fixed address for graphs."""
        if window.version != self._held_version:
            self.device.copy(self._held.address, window.address, window.nbytes)
            self._held_version = window.version

    def _load(self, engines: Mapping[str, Engine], command: str) -> None:
        logger = new_logger(self.trt)
        self._runtime = new_runtime(self.trt, logger)
        if any(item.key.version_compatible for item in engines.values()):
            self._runtime.engine_host_code_allowed = True  # `open_engines` has asked whether it may
        for name in ("extractor", "stages", "evaluator"):
            part = TensorRTEngine(name, self.device, self.trt, logger)
            self._engines[name] = part
            part.load(self._runtime, engines[name].plan, command=command)

    def _prepare(self, window: int) -> None:
        """Facts of the engines, and the buffers that all cameras use in turn."""
        extractor, stages, evaluator = (self._engines[name].tensors for name in ("extractor", "stages", "evaluator"))
        self._input = "rows" if "rows" in extractor else "frames"
        taken = extractor[self._input]
        chunk = tuple(taken.largest or ())[1]
        self.chunk_frames: int | None = chunk
        self._steps_a_chunk = chunk // self._stride
        self.input_shape: tuple[int, ...] = taken.shape[2:]
        self.feature_channels: int = stages["features"].shape[2]
        self.roi_bins: int = evaluator["left"].shape[1]
        self._window = min(window, (stages["features"].largest or (1, window))[1])
        self._most_proposals = (evaluator["left"].largest or (1,))[0]
        self._row_bytes = self.feature_channels * FLOAT_BYTES
        self._states = {name[5:]: tensor for name, tensor in extractor.items() if name.startswith("past.")}
        one = {name: (1, *tensor.shape[1:]) for name, tensor in extractor.items() if tensor.is_input}
        self._extractor_shapes = {**one, self._input: (1, chunk, *self.input_shape)}
        stage = self._own
        self._frames = stage(self.device.staging((1, chunk, *self.input_shape), taken.dtype))
        self._position, self._length = (
            stage(self.device.staging((1,), extractor[name].dtype)) for name in ("position", "length")
        )
        self._held = stage(self.device.memory(self._window * self._row_bytes))
        self._probabilities = stage(self.device.staging((self._window, STAGE_COUNT), np.float32))
        rows = (self._most_proposals, self.roi_bins)
        self._left = stage(self.device.staging(rows, evaluator["left"].dtype))
        self._right = stage(self.device.staging(rows, evaluator["right"].dtype))
        self._scores = stage(self.device.staging((self._most_proposals,), np.float32))
        self._frames_read = self.device.event()
        self._frames_read.record(self.device.stream)

    def _new_state_memory(self) -> StateMemory:
        recordings = [self._engines["extractor"].recording(shared=True) for _ in range(2)]
        feature_bytes = self._steps_a_chunk * self._row_bytes
        memory: StateMemory = self._own(StateMemory(self.device, self._states, feature_bytes, recordings))
        return memory

    def _recording(self, graph: str, size: int) -> Recording | None:
        """Of a full window, and of one size of batch."""
        key = (graph, size)
        if key not in self._recordings:
            self._recordings[key] = self._engines[graph].recording(shared=False)
        return self._recordings[key]

    def _check_frames(self, frames: npt.NDArray[Any]) -> None:
        expected = (self.chunk_frames, *self.input_shape)
        if frames.dtype != self._frames.host.dtype or frames.shape != expected:
            raise BackendError(
                f"{self._input} are {frames.dtype} {list(frames.shape)}; these engines take {self._frames.host.dtype} "
                f"{list(expected)}; prepare them with cmsn_runtime.pictures.fitting, or build for another chunk"
            )

    def _own(self, owned: Any) -> Any:
        self._owned.append(owned)
        return owned


@atexit.register
def _close_all() -> None:
    for backend in list(_open_backends):
        with suppress(BackendError):
            backend.close()


def counters(position: int, length: int, *, stride: int) -> tuple[int, int]:
    """Position and length as an int32 holds them, for streams of any length: only the distance to either end counts.

    A position beyond all receptive fields is as good as any other; TensorRT 8.6 has no int64.
    """
    near = min(position, _FAR // stride * stride)
    return near, min(near + length - position, _END_UNKNOWN)
