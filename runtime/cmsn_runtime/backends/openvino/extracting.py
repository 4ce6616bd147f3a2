"""The extractor on OpenVINO: compiled for each length of chunk, run by several threads at once."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from cmsn_runtime.backends.asks import Extract, Floats
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.counters import counters
from cmsn_runtime.backends.openvino.compiling import Compilation, compiled, ports, read_model
from cmsn_runtime.backends.openvino.state import OpenVinoState
from cmsn_runtime.backends.ports import Port, check_moments, checked_ports, input_name, moment_shape, one_line
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import StateTensor

_KEPT_LENGTHS = 4  # of chunks: the usual one, and the last ones of streams


class OpenVinoExtractor:
    """Features of chunks of any number of steps; several threads may share it.

    read: the graph's ONNX bytes, which are not kept. states: in order. stride: frames per step. input: "frames" or
    "rows". Raises BackendError where the graph is not that of a bundle with these states.
    """

    def __init__(
        self, read: Callable[[], bytes], states: Sequence[StateTensor], compilation: Compilation, *, stride: int
    ) -> None:
        self._read = read
        self._compilation = compilation
        self._stride = stride
        self._lock = threading.Lock()
        self._lengths: OrderedDict[int, _Compiled] = OrderedDict()
        model = read_model("extractor", read())
        inputs = ports(model.inputs)
        self._counters = {port.name for port in inputs} & {"position", "length"}
        for index, name in enumerate(("position", "length"), start=1):
            if name not in self._counters:
                inputs.insert(index, Port(name, "int64", (None,)))
        self.input = input_name(inputs)
        self.input_shape = moment_shape(checked_ports("extractor", inputs, ports(model.outputs), states)[self.input])
        self._lengths[stride] = _Compiled(compiled("extractor", model, stride, compilation))

    def close(self) -> None:
        """Release what was compiled."""
        with self._lock:
            self._lengths.clear()

    def new_state(self) -> OpenVinoState:
        """Zeros: the state before the first frame. Raises BackendError once closed."""
        return OpenVinoState(self._for_length(self._stride).model)

    def loaded_from_cache(self) -> bool:
        """Whether nothing had to be compiled so far."""
        return all(item.model.get_property("LOADED_FROM_CACHE") for item in self._lengths.values())

    def run(self, asks: Sequence[Extract]) -> list[Floats]:
        """Features of each ask, float32 [steps, C]; then its state is advanced. Raises BackendError."""
        for ask in asks:
            check_moments(ask.frames, self.input, self.input_shape)
            self._check_length(len(ask.frames))
        states = [own(ask.state, OpenVinoState) for ask in asks]
        if len({id(state) for state in states}) < len(states):
            raise BackendError("one state occurs twice in a batch; each camera needs a state of its own")
        with ExitStack() as stack:
            model = self._for_length(len(asks[0].frames))
            requests = [stack.enter_context(model.request()) for _ in asks]
            try:
                for request, ask, state in zip(requests, asks, states, strict=True):
                    self._bind(request, ask, state)
                _infer(requests)
                features = [np.array(request.get_tensor("features").data[0]) for request in requests]
            except BackendError:
                raise
            except Exception as error:  # RuntimeError, and what pybind11 makes of others
                raise BackendError(
                    f"OpenVINO failed on the extractor graph ({one_line(error)}); its inputs were {len(asks)} times "
                    f"{self.input} {asks[0].frames.dtype} {list(asks[0].frames.shape)}; take --backend onnxruntime"
                ) from error
        for state in states:
            state.move_on()
        return features

    def _bind(self, request: Any, ask: Extract, state: OpenVinoState) -> None:
        request.get_tensor(self.input).data[0] = ask.frames
        position, length = counters(ask.position, ask.length, stride=self._stride)
        for name, count in (("position", position), ("length", length)):
            if name in self._counters:  # OpenVINO drops inputs that a graph ignores
                request.get_tensor(name).data[0] = count
        for name, tensor in state.bindings().items():
            request.set_tensor(name, tensor)

    def _check_length(self, frames: int) -> None:
        if frames % self._stride:
            raise BackendError(
                f"the chunk has {frames} {self.input}; the extractor takes multiples of the stride, {self._stride}; "
                "fill up the last step"
            )

    def _for_length(self, frames: int) -> _Compiled:
        with self._lock:
            if not self._lengths:
                raise BackendError("the backend is closed; an open backend is needed; open the bundle again")
            if frames not in self._lengths:
                model = read_model("extractor", self._read())
                self._lengths[frames] = _Compiled(compiled("extractor", model, frames, self._compilation))
            self._lengths.move_to_end(frames)
            if len(self._lengths) > _KEPT_LENGTHS:
                self._lengths.popitem(last=False)
            return self._lengths[frames]


class _Compiled:
    """A compiled model with its requests, each of which one thread may use at a time.

    A request keeps the states that it was last bound to alive until it is bound to others.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._idle: deque[Any] = deque()

    @contextmanager
    def request(self) -> Iterator[Any]:
        """A request of one's own; one that failed is not used again."""
        request = self._idle.pop() if self._idle else self.model.create_infer_request()
        yield request
        self._idle.append(request)


def _infer(requests: Sequence[Any]) -> None:
    """Run all, at the same time where there are several."""
    if len(requests) == 1:
        requests[0].infer()
        return
    started, failures = [], []
    for request in requests:
        try:
            request.start_async()
        except Exception as error:
            failures.append(error)
            break
        started.append(request)
    for request in started:  # all of them: a request under way must not be released
        try:
            request.wait()
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]
