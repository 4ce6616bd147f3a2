"""One graph on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]

from cmsn_runtime.backends.onnxruntime.provider import Provider, run_bound
from cmsn_runtime.backends.ports import Port, checked_ports, one_line
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import StateTensor

_NUMPY_NAMES = {"tensor(float)": "float32"} | {
    f"tensor({name})": name for name in ("float16", "int8", "uint8", "int64")
}


class GraphSession:
    """A graph, ready to run; several threads may share it.

    name: `extractor`, `stages` or `evaluator`. graph: ONNX bytes. threads: number per operator; they never spin.
    states: those of the extractor. inputs: by name. providers: what runs it, by ONNX Runtime's names.
    Raises BackendError where the graph cannot be loaded or its inputs and outputs are not those of a bundle.
    """

    def __init__(
        self, name: str, graph: bytes, *, threads: int, provider: Provider, states: Sequence[StateTensor] = ()
    ) -> None:
        session = opened_session(name, graph, threads, provider)
        self._name = name
        self._session: Any = session
        self._device = provider.device
        inputs, outputs = _ports(session.get_inputs()), _ports(session.get_outputs())
        self.inputs = checked_ports(name, inputs, outputs, states)
        self.providers: list[str] = session.get_providers()

    def close(self) -> None:
        """Release it; running it afterwards raises BackendError."""
        self._session = None

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], states: Mapping[str, Any] | None = None) -> list[Any]:
        """Outputs as arrays; the next states stay where these are. Raises BackendError."""
        session = self._session
        if session is None:
            raise BackendError("the backend is closed; an open backend is needed; open the bundle again")
        try:
            if states is not None and self._device is not None:
                return run_bound(session, feeds, states, self._device)
            outputs: list[Any] = session.run(None, {**feeds, **(states or {})})
        except Exception as error:  # the only base class that ONNX Runtime's exceptions share
            shapes = ", ".join(f"{name} {value.dtype} {list(value.shape)}" for name, value in feeds.items())
            raise BackendError(
                f"ONNX Runtime failed on the {self._name} graph ({one_line(error)}); its inputs were {shapes}; "
                "check them"
            ) from error
        return outputs


def opened_session(name: str, graph: bytes, threads: int, provider: Provider) -> Any:
    """ONNX Runtime's session of a graph, whatever its inputs are; see GraphSession. Raises BackendError."""
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
            f"ONNX Runtime {onnxruntime.__version__} cannot load the {name} graph ({one_line(error)}); "
            "an ONNX graph written by `cmsn export` is needed; export the model again"
        ) from error
    provider.check(session, name)
    return session


def _ports(items: Sequence[Any]) -> list[Port]:
    return [Port(item.name, _NUMPY_NAMES.get(item.type, item.type), tuple(item.shape)) for item in items]
