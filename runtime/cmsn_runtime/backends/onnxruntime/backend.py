"""The networks on ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.asks import Evaluate, Extract, Floats, Moments, Stages, StepFeatures
from cmsn_runtime.backends.base import own
from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.joining import joined_rows, split_scores
from cmsn_runtime.backends.onnxruntime.provider import Provider, run_bound
from cmsn_runtime.backends.onnxruntime.state import OrtState, batch_order, gathered, move_on, new_state, type_in_graphs
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError, SettingsError
from cmsn_runtime.manifest.contents import StateTensor

_SMALL_EXTRACTOR = 16 * 2**20  # bytes of its graph: a third of the paper's width
_INPUTS = {
    "extractor": ["frames", "position", "length"],  # and the states; "rows" instead of "frames" for feature rows
    "stages": ["features"],
    "evaluator": ["features", "left", "right"],
}
_OUTPUTS = {"extractor": ["features"], "stages": ["probabilities"], "evaluator": ["scores"]}
_TYPES = {"frames": "uint8", "position": "int64", "length": "int64", "left": "int64", "right": "int64"}
_RANKS = {
    "extractor": {"frames": 5, "rows": 3, "position": 1, "length": 1},
    "stages": {"features": 3},
    "evaluator": {"features": 2, "left": 2, "right": 2},
}


class OnnxRuntimeBackend(Closing):
    """Backend protocol over three ONNX graphs. Streams in several threads may share it.

    graphs: name -> ONNX bytes of `extractor`, `stages` and `evaluator`.
    states: the extractor's, in order; their element types must be those of the graph.
    threads: number per operator, at least 1; see `usual_threads` for the default. They never spin: between two chunks
        of a camera there is nothing to wait for, and spinning took three quarters of all CPU time.
    largest_batch: see Backend; by default the largest that makes the provider faster. Batched results equal those of
        one ask at a time, bit for bit where threads is 1.
    provider: what computes, the CPU by default; on a GPU the extractor's states stay there from chunk to chunk.
    input_shape (height, width, 3 of a picture; values of a feature row), feature_channels and roi_bins are those that
    the graphs declare.

    Raises BackendError where a graph cannot be loaded or its inputs and outputs are not those of a bundle with these
    states, SettingsError for less than one thread.
    """

    def __init__(
        self,
        graphs: Mapping[str, bytes],
        states: Sequence[StateTensor],
        *,
        threads: int | None = None,
        largest_batch: int | None = None,
        provider: Provider | None = None,
    ) -> None:
        for name, value in (("threads", threads), ("largest_batch", largest_batch)):
            if value is not None and value < 1:
                raise SettingsError(f"{name} is {value}; it must be at least 1; omit it for the default")
        self._states = tuple(states)
        provider = provider or Provider()
        provider.prepare()
        self._device = provider.device
        threads = threads or usual_threads(graphs)
        self._sessions = {name: _session(name, graphs[name], threads, provider) for name in _INPUTS}
        self.largest_batch = largest_batch or provider.largest_batch
        first = [item.name for item in self._sessions["extractor"].get_inputs()][:1]
        self._input = "rows" if first == ["rows"] else "frames"
        shapes = {name: self._checked_shapes(name) for name in _INPUTS}
        self.chunk_frames = provider.chunk_frames
        self._most_proposals = provider.most_proposals
        self.input_shape: tuple[int, ...] = shapes["extractor"][self._input][2:]
        self.feature_channels: int = shapes["stages"]["features"][2]
        self.roi_bins: int = shapes["evaluator"]["left"][1]
        self.name = f"ONNX Runtime {onnxruntime.__version__} ({', '.join(self._sessions['extractor'].get_providers())})"

    def close(self) -> None:
        """Release the sessions; using the backend afterwards raises BackendError."""
        self._sessions = {}

    def new_state(self) -> OrtState:
        """Zeros: the state before the first frame."""
        return new_state(self._states, self._device)

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

    def extract(self, asks: Sequence[Extract]) -> list[StepFeatures]:
        """See Backend.extract."""
        for ask in asks:
            self._check_moments(ask.frames)
        given = [own(ask.state, OrtState) for ask in asks]
        order = batch_order(given)
        asks, states = [asks[index] for index in order], [given[index] for index in order]
        feeds: dict[str, npt.NDArray[Any]] = {
            self._input: np.stack([ask.frames for ask in asks]) if len(asks) > 1 else asks[0].frames[None],
            "position": np.array([ask.position for ask in asks], np.int64),
            "length": np.array([ask.length for ask in asks], np.int64),
        }
        # On the CPU plain arrays: binding them had no measurable benefit (6.5 MB at full width).
        features, *following = self._run("extractor", feeds, gathered(states, self._device))
        move_on(states, following)
        return [features[order.index(index)] for index in range(len(asks))]

    def stages(self, asks: Sequence[Stages]) -> list[Floats]:
        """See Backend.stages."""
        windows = [own(ask.window, HostWindow).features for ask in asks]
        batch = np.stack(windows) if len(windows) > 1 else windows[0][None]
        return list(self._run("stages", {"features": batch})[0])

    def evaluate(self, asks: Sequence[Evaluate]) -> list[Floats]:
        """See Backend.evaluate."""
        windows = [own(ask.window, HostWindow).features for ask in asks]
        features = np.concatenate(windows) if len(windows) > 1 else windows[0]
        left, right = joined_rows(asks)
        most = self._most_proposals or max(1, len(left))
        parts = [slice(begin, begin + most) for begin in range(0, len(left), most)] or [slice(0)]
        scores = [
            self._run("evaluator", {"features": features, "left": left[part], "right": right[part]})[0]
            for part in parts
        ]
        return split_scores(np.concatenate(scores), asks)

    def _check_moments(self, moments: Moments) -> None:
        kind = np.float32 if self._input == "rows" else np.uint8
        if moments.dtype != kind or not len(moments) or moments.shape[1:] != self.input_shape:
            sides = ", ".join(str(side) for side in self.input_shape)
            raise BackendError(
                f"{self._input} are {moments.dtype} {list(moments.shape)}; "
                f"this model takes {np.dtype(kind)} [T, {sides}]; prepare them with cmsn_runtime.pictures.fitting, "
                "or check how the features were computed"
            )

    def _run(
        self, graph: str, feeds: Mapping[str, npt.NDArray[Any]], states: Mapping[str, Any] | None = None
    ) -> list[Any]:
        session = self._sessions.get(graph)
        if session is None:
            raise BackendError("the backend is closed; an open backend is needed; open the bundle again")
        try:
            if states is not None and self._device is not None:
                return run_bound(session, feeds, states, self._device)
            outputs: list[Any] = session.run(None, {**feeds, **(states or {})})
        except Exception as error:  # the only base class that ONNX Runtime's exceptions share
            shapes = ", ".join(f"{name} {value.dtype} {list(value.shape)}" for name, value in feeds.items())
            raise BackendError(
                f"ONNX Runtime failed on the {graph} graph ({_one_line(error)}); its inputs were {shapes}; check them"
            ) from error
        return outputs

    def _checked_shapes(self, graph: str) -> dict[str, Any]:
        """Input name -> shape of one graph, once its names, types, ranks and states are those of a bundle."""
        session = self._sessions[graph]
        states = self._states if graph == "extractor" else ()
        inputs = {item.name: item for item in session.get_inputs()}
        outputs = {item.name: item for item in session.get_outputs()}
        expected = [self._input if name == "frames" else name for name in _INPUTS[graph]]
        _expect(graph, "inputs", list(inputs), [*expected, *(f"past.{state.name}" for state in states)])
        _expect(graph, "outputs", list(outputs), [*_OUTPUTS[graph], *(f"next.{state.name}" for state in states)])
        for name in expected:
            _expect(graph, f"type of {name}", inputs[name].type, f"tensor({_TYPES.get(name, 'float')})")
            _expect(graph, f"rank of {name}", len(inputs[name].shape), _RANKS[graph][name])
        for state in states:
            past, following = inputs[f"past.{state.name}"], outputs[f"next.{state.name}"]
            for item in (past, following):
                _expect(graph, f"type of state {state.name}", item.type, type_in_graphs(state))
            _expect(graph, f"shape of state {state.name}", tuple(past.shape[1:]), state.shape)
        return {name: tuple(item.shape) for name, item in inputs.items()}


def usual_threads(graphs: Mapping[str, bytes]) -> int:
    """One thread for a small extractor, whose operators are too short to be divided; otherwise one per core.

    Streams of several threads share a session and run side by side either way.
    """
    return 1 if len(graphs["extractor"]) < _SMALL_EXTRACTOR else _cores()


def _cores() -> int:
    """Number of cores that this process may use; a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _session(name: str, graph: bytes, threads: int, provider: Provider) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # fatal only: errors are raised, and must not appear on stderr as well
    # ONNX rather than ONNX Runtime's own format, whose references to other files are not checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        # Disables its own fallback, which prints to stdout, hides the cause, and moves to the CPU in mid-stream.
        session = onnxruntime.InferenceSession(graph, options, providers=provider.listed(name), enable_fallback=0)
    except Exception as error:  # the only base class that ONNX Runtime's exceptions share
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load the {name} graph ({_one_line(error)}); "
            "an ONNX graph written by `cmsn export` is needed; export the model again"
        ) from error
    provider.check(session, name)
    return session


def _expect(graph: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise BackendError(f"the {graph} graph has {what} {found}; its bundle needs {expected}; export the model again")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
