"""The networks on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.backends.onnxruntime.provider import Provider, on_device, run_bound
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError, SettingsError

Features = npt.NDArray[np.float32]

_INPUTS = {
    "extractor": ["frames", "position", "length"],  # and the states; "rows" in place of "frames" for feature rows
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


class OrtState:
    """The extractor's memory of one camera: input name -> array [1, ...], or ONNX Runtime's value on a device."""

    __slots__ = ("arrays",)

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays = arrays


class OnnxRuntimeBackend(Closing):
    """Backend protocol over three ONNX graphs. Streams in several threads may share it.

    graphs: name -> ONNX bytes of `extractor`, `stages` and `evaluator`.
    states: name and shape (without the batch) of each of the extractor's states, in order.
    threads: for each operator, at least 1; all physical cores by default.
    provider: what computes, the CPU by default; on a GPU the extractor's states stay there from chunk to chunk.
    input_shape (height, width, 3 of a picture; values of a feature row), feature_channels and roi_bins are what the
    graphs take.

    Raises BackendError where a graph cannot be loaded or its inputs and outputs are not those of a bundle with these
    states, SettingsError for less than one thread.
    """

    def __init__(
        self,
        graphs: Mapping[str, bytes],
        states: Sequence[tuple[str, tuple[int, ...]]],
        *,
        threads: int | None = None,
        provider: Provider | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise SettingsError(f"threads is {threads}; it must be at least 1; leave it out to use all cores")
        self._states = [(name, tuple(shape)) for name, shape in states]
        provider = provider or Provider()
        provider.prepare()
        self._device = provider.device
        self._sessions = {name: _session(name, graphs[name], threads, provider) for name in _INPUTS}
        first = [item.name for item in self._sessions["extractor"].get_inputs()][:1]
        self._state_type: type[np.floating[Any]] = np.float32
        self._input = "rows" if first == ["rows"] else "frames"
        shapes = {name: self._checked_shapes(name) for name in _INPUTS}
        self.chunk_frames = provider.chunk_frames
        self._most_proposals = provider.most_proposals
        self.input_shape: tuple[int, ...] = shapes["extractor"][self._input][2:]
        self.feature_channels: int = shapes["stages"]["features"][2]
        self.roi_bins: int = shapes["evaluator"]["left"][1]
        self.name = f"ONNX Runtime {onnxruntime.__version__} ({', '.join(self._sessions['extractor'].get_providers())})"

    def close(self) -> None:
        """Let go of the sessions; using the backend afterwards raises BackendError."""
        self._sessions = {}

    def new_state(self) -> OrtState:
        """Zeros: the state before the first frame."""
        arrays = {f"past.{name}": np.zeros((1, *shape), self._state_type) for name, shape in self._states}
        device = self._device
        return OrtState(arrays if device is None else {name: on_device(item, device) for name, item in arrays.items()})

    def new_window(self, steps: int) -> HostWindow:
        """See Backend.new_window."""
        return HostWindow(steps)

    def extract(self, frames: npt.NDArray[Any], state: OrtState, *, position: int, length: int) -> Features:
        """See Backend.extract. Where it raises BackendError, `state` is as it was."""
        kind = np.float32 if self._input == "rows" else np.uint8
        if frames.dtype != kind or not len(frames) or frames.shape[1:] != self.input_shape:
            sides = ", ".join(str(side) for side in self.input_shape)
            raise BackendError(
                f"{self._input} are {frames.dtype} {list(frames.shape)}; "
                f"this model takes {np.dtype(kind)} [T, {sides}]; prepare them with cmsn_runtime.pictures.fitting, "
                "or check how the features were made"
            )
        feeds: dict[str, npt.NDArray[Any]] = {
            self._input: frames[None],
            "position": np.array([position], np.int64),
            "length": np.array([length], np.int64),
        }
        # On the CPU plain arrays: binding them saved nothing that could be measured (6.5 MB at full width).
        features, *following = self._run("extractor", feeds, state.arrays)
        state.arrays = dict(zip(state.arrays, following, strict=True))
        steps: Features = features[0]
        return steps

    def stages(self, window: HostWindow) -> Features:
        """See Backend.stages."""
        probabilities: Features = self._run("stages", {"features": window.features[None]})[0][0]
        return probabilities

    def evaluate(self, window: HostWindow, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> Features:
        """See Backend.evaluate."""
        most = self._most_proposals or max(1, len(left))
        parts = [slice(begin, begin + most) for begin in range(0, len(left), most)] or [slice(0)]
        features = window.features
        scores = [
            self._run("evaluator", {"features": features, "left": left[part], "right": right[part]})[0]
            for part in parts
        ]
        return np.concatenate(scores)

    def _run(
        self, graph: str, feeds: Mapping[str, npt.NDArray[Any]], states: Mapping[str, Any] | None = None
    ) -> list[Any]:
        session = self._sessions.get(graph)
        if session is None:
            raise BackendError("the backend is closed; an open one is needed; open the bundle again")
        try:
            if states is not None and self._device is not None:
                return run_bound(session, feeds, states, self._device)
            outputs: list[Any] = session.run(None, {**feeds, **(states or {})})
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            shapes = ", ".join(f"{name} {value.dtype} {list(value.shape)}" for name, value in feeds.items())
            raise BackendError(
                f"ONNX Runtime failed on the {graph} graph ({_one_line(error)}); fed {shapes}; check what was fed"
            ) from error
        return outputs

    def _checked_shapes(self, graph: str) -> dict[str, Any]:
        """Input name -> shape of one graph, once its names, types, ranks and states are those of a bundle."""
        session = self._sessions[graph]
        names = [name for name, _ in self._states] if graph == "extractor" else []
        inputs = {item.name: item for item in session.get_inputs()}
        outputs = [item.name for item in session.get_outputs()]
        expected = [self._input if name == "frames" else name for name in _INPUTS[graph]]
        _expect(graph, "inputs", list(inputs), [*expected, *(f"past.{name}" for name in names)])
        _expect(graph, "outputs", outputs, [*_OUTPUTS[graph], *(f"next.{name}" for name in names)])
        for name, item in inputs.items():
            if name.startswith("past.") and item.type == "tensor(float16)":
                self._state_type = np.float16
            else:
                _expect(graph, f"type of {name}", item.type, f"tensor({_TYPES.get(name, 'float')})")
        for name in expected:
            _expect(graph, f"rank of {name}", len(inputs[name].shape), _RANKS[graph][name])
        for name, shape in self._states if graph == "extractor" else []:
            _expect(graph, f"shape of state {name}", tuple(inputs[f"past.{name}"].shape[1:]), shape)
        return {name: tuple(item.shape) for name, item in inputs.items()}


def _session(name: str, graph: bytes, threads: int | None, provider: Provider) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # fatal only: what fails is raised, and shall not be on stderr a second time
    # ONNX and not ONNX Runtime's own format, whose ways to refer to other files nobody checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        # Without its own fallback, which prints to stdout, hides the cause, and moves to the CPU in mid-stream.
        session = onnxruntime.InferenceSession(graph, options, providers=provider.listed(name), enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own exceptions share no base but this
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load the {name} graph ({_one_line(error)}); "
            "an ONNX graph as `cmsn export` writes it is needed; export the model again"
        ) from error
    provider.check(session, name)
    return session


def _expect(graph: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise BackendError(f"the {graph} graph has {what} {found}; its bundle needs {expected}; export the model again")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
