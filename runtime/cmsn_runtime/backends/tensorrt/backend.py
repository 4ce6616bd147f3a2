"""The networks on TensorRT engines, chained on the device: only stage and proposal scores come back."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Stages, StepFeatures
from cmsn_runtime.backends.base import Arithmetic, own
from cmsn_runtime.backends.tensorrt.cuda import Device
from cmsn_runtime.backends.tensorrt.engine import Tensor, TensorRTEngine
from cmsn_runtime.backends.tensorrt.engine_files import Engine
from cmsn_runtime.backends.tensorrt.extracting import DeviceExtractor
from cmsn_runtime.backends.tensorrt.library import load_tensorrt, new_logger, new_runtime
from cmsn_runtime.backends.tensorrt.recurring import RecurringEngine
from cmsn_runtime.backends.tensorrt.scoring import DeviceScorer
from cmsn_runtime.backends.tensorrt.states import DeviceState
from cmsn_runtime.backends.tensorrt.windows import DeviceWindow, HeldWindows, WindowPool
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError

_FLOAT_BYTES = 4

# Closed before the interpreter destroys the context: later pycuda cannot free anything, and warns.
_open_backends: weakref.WeakSet[TensorRTBackend] = weakref.WeakSet()


class TensorRTBackend(Closing):
    """Backend protocol over three engines, on one GPU and one stream. Streams in several threads may share it.

    engines: `extractor`, `stages` and `evaluator`. stride: frames per step. window: the usual number of its steps.
    command: the command that builds the engines again, for messages. index: number of the GPU.

    A camera's states never leave the device; frames go there as bytes. Work that recurs is captured as CUDA graphs
    where cuda-bindings is installed. A batch has at most as many cameras as the engines were built for
    (`cmsn build --cameras`). Raises BackendError where the GPU or TensorRT refuses them.
    """

    def __init__(
        self, engines: Mapping[str, Engine], *, stride: int, window: int, command: str, index: int = 0
    ) -> None:
        trt = load_tensorrt()
        self.device = Device(index)
        self._open = True
        self._resources = ExitStack()  # released in the opposite order
        try:
            with self.device.current():
                loaded = _load(trt, engines, self.device, self._resources, command=command)
                channels = loaded["stages"].tensors["features"].shape[2]
                row_bytes = channels * _FLOAT_BYTES
                self._extractor = DeviceExtractor(
                    self.device, loaded["extractor"], self._resources, stride=stride, row_bytes=row_bytes
                )
                held, self._window = _held_windows(self.device, loaded, row_bytes, window)
                self._resources.callback(held.release)
                self._scorer = DeviceScorer(
                    self.device,
                    loaded["stages"],
                    loaded["evaluator"],
                    self._resources,
                    held=held,
                    window=self._window,
                )
                self._windows = WindowPool(self.device, row_bytes, spare=self._extractor.largest_batch)
                self._resources.callback(self._windows.release)
        except BaseException:
            with suppress(BackendError):  # the first fault is the one to report
                self.close()
            raise
        _open_backends.add(self)
        self.chunk_frames: int | None = self._extractor.chunk_frames
        # A build that was interrupted leaves engines for different numbers of cameras.
        self.largest_batch = min(self._extractor.largest_batch, held.rows // self._window)
        self.input_shape = self._extractor.input_shape
        self.feature_channels: int = channels
        self.roi_bins: int = loaded["evaluator"].tensors["left"].shape[1]
        precision = engines["extractor"].key.precision
        self.arithmetic = Arithmetic(library="tensorrt", device="cuda", variant=precision)
        self.name = f"TensorRT {trt.__version__} ({self.device.facts.name}, {precision.upper()})"

    def close(self) -> None:
        """Wait for the device and release everything, in order; states and windows cannot be used afterwards."""
        with self.device.current():
            if not self._open:
                return
            self._open = False
            self.device.synchronize()
            self._resources.close()
        self.device.close()

    @property
    def states(self) -> Mapping[str, Tensor]:
        """The extractor's states as its engine declares them, by name."""
        return self._extractor.states

    def new_state(self) -> DeviceState:
        """See Backend.new_state."""
        with self.working():
            return self._extractor.pool.new_state(self.reclaim)

    def new_window(self, steps: int) -> DeviceWindow:
        """See Backend.new_window. Raises BackendError for more steps than the engines take."""
        if not 1 <= steps <= self._window:
            raise BackendError(f"a window of {steps} steps was asked for; these engines take from 1 to {self._window}")
        with self.working():
            return self._windows.new_window(self, steps)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract; this does not wait for the device."""
        self._check_batch(asks)
        states = [own(ask.state, DeviceState) for ask in asks]
        if len({id(state) for state in states}) < len(states):
            raise BackendError("one state occurs twice in a batch; each camera needs a state of its own")
        for ask in asks:
            self._extractor.check(ask.frames)
        with self.working():
            for state in states:
                self._require_own(state)
            return list(self._extractor.run(list(zip(asks, states, strict=True))))

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        self._check_batch(asks)
        with self.working():
            return self._scorer.stages([self._own_window(ask.window) for ask in asks])

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        self._check_batch(asks)
        with self.working():
            return self._scorer.evaluate(asks, [self._own_window(ask.window) for ask in asks])

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the device. Raises BackendError where the backend is closed, even if it was closed while this waited."""
        with self.device.current():
            if not self._open:
                raise BackendError("the backend is closed; an open backend is needed; open the bundle again")
            yield

    def reclaim(self) -> None:
        """Make the memory of closed states and windows usable at once; does nothing on a closed backend."""
        with suppress(BackendError), self.working():  # after a fault of the device there is nothing to reclaim
            self._extractor.pool.reclaim()
            self._windows.reclaim()

    def _check_batch(self, asks: Sequence[object]) -> None:
        if len(asks) > self.largest_batch:
            raise BackendError(
                f"a batch has {len(asks)} cameras; these engines take {self.largest_batch} at once; "
                "build for more with `cmsn build --cameras`, or ask in smaller batches"
            )

    def _require_own(self, state: DeviceState) -> None:
        if state.closed:
            raise BackendError("this state is closed: its sequence has ended; create another with new_state()")
        if not self._extractor.pool.owns(state):
            raise BackendError("a state of another backend was passed; use states with the backend that created them")

    def _own_window(self, window: object) -> DeviceWindow:
        found = own(window, DeviceWindow)
        if found.pool is not self._windows:
            raise BackendError("a window of another backend was passed; use windows with the backend that created them")
        return found


def _load(
    trt: Any, engines: Mapping[str, Engine], device: Device, resources: ExitStack, *, command: str
) -> dict[str, RecurringEngine]:
    """The three engines, by name; closing the resources closes them."""
    logger = new_logger(trt)
    runtime = new_runtime(trt, logger)
    if any(item.key.version_compatible for item in engines.values()):
        runtime.engine_host_code_allowed = True  # `open_engines` has checked that it is allowed
    loaded: dict[str, RecurringEngine] = {}
    for name in ("extractor", "stages", "evaluator"):
        part = TensorRTEngine(
            name, engines[name].plan, device=device, trt=trt, runtime=runtime, logger=logger, command=command
        )
        resources.callback(part.close)
        loaded[name] = RecurringEngine(part)
        resources.callback(loaded[name].close)
    return loaded


def _held_windows(
    device: Device, loaded: Mapping[str, RecurringEngine], row_bytes: int, window: int
) -> tuple[HeldWindows, int]:
    """Buffer for the windows of a batch, and the steps of the largest window."""
    cameras, steps = (loaded["stages"].tensors["features"].largest or (1, window))[:2]
    (rows,) = (loaded["evaluator"].tensors["features"].largest or (window,))[:1]
    rows = min(rows, cameras * steps)
    return HeldWindows(device, row_bytes, rows), min(window, steps, rows)


@atexit.register
def _close_all() -> None:
    for backend in list(_open_backends):
        with suppress(BackendError):
            backend.close()
