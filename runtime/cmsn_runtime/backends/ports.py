"""What the graphs of a bundle take and return, checked when a backend opens them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cmsn_runtime.backends.asks import Moments
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import StateDtype, StateTensor

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
_ARRAY_TYPES: tuple[StateDtype, ...] = ("float32", "float16", "int8")  # bfloat16 is not among numpy's


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph. dtype: numpy's name, if it has one. shape: a side is an int where it is fixed."""

    name: str
    dtype: str
    shape: tuple[object, ...]


def checked_ports(
    graph: str, inputs: Sequence[Port], outputs: Sequence[Port], states: Sequence[StateTensor]
) -> Mapping[str, Port]:
    """The inputs of one of the three graphs by name, once they are those of a bundle; states: those of the extractor.

    Raises BackendError for other names, types, ranks or states.
    """
    expected = [input_name(inputs) if name == "frames" else name for name in _INPUTS[graph]]
    _expect(graph, "inputs", _names(inputs), [*expected, *(f"past.{state.name}" for state in states)])
    _expect(graph, "outputs", _names(outputs), [*_OUTPUTS[graph], *(f"next.{state.name}" for state in states)])
    given, returned = ({port.name: port for port in ports} for ports in (inputs, outputs))
    for name in expected:
        _expect(graph, f"type of {name}", given[name].dtype, _TYPES.get(name, "float32"))
        _expect(graph, f"rank of {name}", len(given[name].shape), _RANKS[graph][name])
    for state in states:
        past = given[f"past.{state.name}"]
        for port in (past, returned[f"next.{state.name}"]):
            _expect(graph, f"type of state {state.name}", port.dtype, _array_type(state))
        _expect(graph, f"shape of state {state.name}", past.shape[1:], state.shape)
    return given


def input_name(inputs: Sequence[Port]) -> str:
    """Whether an extractor takes "frames" or "rows"."""
    return "rows" if _names(inputs)[:1] == ["rows"] else "frames"


def moment_shape(port: Port) -> tuple[int, ...]:
    """(height, width, 3) of a picture or (values,) of a feature row, from an extractor's input; -1 where not fixed."""
    return tuple(side if isinstance(side, int) else -1 for side in port.shape[2:])


def check_moments(moments: Moments, name: str, shape: tuple[int, ...]) -> None:
    """Raise BackendError for frames or rows of another type or shape. name: see `input_name`. shape: of one moment."""
    kind = np.float32 if name == "rows" else np.uint8
    if moments.dtype != kind or not len(moments) or moments.shape[1:] != shape:
        sides = ", ".join(str(side) for side in shape)
        raise BackendError(
            f"{name} are {moments.dtype} {list(moments.shape)}; "
            f"this model takes {np.dtype(kind)} [T, {sides}]; prepare them with cmsn_runtime.pictures.fitting, "
            "or check how the features were computed"
        )


def one_line(error: Exception) -> str:
    """A library's message in one line, for messages that quote it."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _array_type(state: StateTensor) -> str:
    if state.dtype not in _ARRAY_TYPES:
        raise BackendError(
            f"the state {state.name} is {state.dtype}; this backend supports {', '.join(_ARRAY_TYPES)}; "
            "choose another precision of the bundle, or export the model again"
        )
    return state.dtype


def _names(ports: Sequence[Port]) -> list[str]:
    return [port.name for port in ports]


def _expect(graph: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise BackendError(f"the {graph} graph has {what} {found}; its bundle needs {expected}; export the model again")
