"""cuda.bindings.driver over a simulated device: capturing streams and launching what was captured."""

from __future__ import annotations

import enum
from types import ModuleType
from typing import Any

from fake_device import Graph, Simulation


class CUresult(enum.IntEnum):
    """What a call has come to."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_INVALID_CONTEXT = 201
    CUDA_ERROR_INVALID_HANDLE = 400
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901


class CUstreamCaptureMode(enum.IntEnum):
    """Which calls a capture forbids to whom."""

    CU_STREAM_CAPTURE_MODE_GLOBAL = 0
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1
    CU_STREAM_CAPTURE_MODE_RELAXED = 2


class _Handle:
    """An address in the clothes of a type."""

    def __init__(self, init_value: int = 0) -> None:
        self._value = init_value

    def __int__(self) -> int:
        return self._value

    def __index__(self) -> int:
        return self._value

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._value:#x}>"


class CUstream(_Handle):
    """A stream."""


class CUgraph(_Handle):
    """A graph."""


class CUgraphExec(_Handle):
    """A graph that can be launched."""


class Functions:
    """The module's functions. end_fails, instantiate_fails: whether these calls do."""

    def __init__(self, simulation: Simulation, *, end_fails: bool, instantiate_fails: bool) -> None:
        self._simulation = simulation
        self._end_fails = end_fails
        self._instantiate_fails = instantiate_fails

    def cuInit(self, Flags: int) -> tuple[CUresult]:  # noqa: N802, N803
        """Nothing to do."""
        return (CUresult.CUDA_SUCCESS,)

    def cuStreamBeginCapture(self, hStream: Any, mode: CUstreamCaptureMode) -> tuple[CUresult]:  # noqa: N802, N803
        """Record what the stream is given from now on."""
        self._simulation.require_context("cuStreamBeginCapture")
        queue = self._simulation.queue(int(hStream), "cuStreamBeginCapture")
        self._simulation.begin_capture(queue, int(mode))
        return (CUresult.CUDA_SUCCESS,)

    def cuStreamEndCapture(self, hStream: Any) -> tuple[CUresult, CUgraph | None]:  # noqa: N802, N803
        """What was recorded."""
        self._simulation.require_context("cuStreamEndCapture")
        work = self._simulation.end_capture(self._simulation.queue(int(hStream), "cuStreamEndCapture"))
        if self._end_fails:
            return CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, None
        return CUresult.CUDA_SUCCESS, CUgraph(self._simulation.new_graph(work).handle)

    def cuGraphInstantiate(self, hGraph: Any, flags: int) -> tuple[CUresult, CUgraphExec | None]:  # noqa: N802, N803
        """Make it ready to be launched."""
        self._simulation.require_context("cuGraphInstantiate")
        graph = self._graph(hGraph, CUgraph, "cuGraphInstantiate")
        if self._instantiate_fails:
            return CUresult.CUDA_ERROR_OUT_OF_MEMORY, None
        return CUresult.CUDA_SUCCESS, CUgraphExec(self._simulation.new_graph(graph.work).handle)

    def cuGraphLaunch(self, hGraphExec: Any, hStream: Any) -> tuple[CUresult]:  # noqa: N802, N803
        """Put it on a stream."""
        self._simulation.require_context("cuGraphLaunch")
        graph = self._graph(hGraphExec, CUgraphExec, "cuGraphLaunch")
        self._simulation.launch(graph, self._simulation.queue(int(hStream), "cuGraphLaunch"))
        return (CUresult.CUDA_SUCCESS,)

    def cuGraphExecDestroy(self, hGraphExec: Any) -> tuple[CUresult]:  # noqa: N802, N803
        """Let go of it; what was launched still runs."""
        return self._destroy(hGraphExec, CUgraphExec, "cuGraphExecDestroy")

    def cuGraphDestroy(self, hGraph: Any) -> tuple[CUresult]:  # noqa: N802, N803
        """Let go of it; what was instantiated from it stays."""
        return self._destroy(hGraph, CUgraph, "cuGraphDestroy")

    def _destroy(self, handle: Any, kind: type[_Handle], call: str) -> tuple[CUresult]:
        self._simulation.require_context(call)
        self._graph(handle, kind, call).alive = False
        return (CUresult.CUDA_SUCCESS,)

    def _graph(self, handle: Any, kind: type[_Handle], call: str) -> Graph:
        if not isinstance(handle, (int, kind)):
            raise TypeError(f"{call}: {handle!r} is no {kind.__name__}")
        for graph in self._simulation.graphs:
            if graph.handle == int(handle):
                if not graph.alive:
                    raise self._simulation.violation(f"{call} of a graph that was destroyed")
                return graph
        raise self._simulation.violation(f"{call}: {handle!r} was never made")


def graph_module(simulation: Simulation, *, end_fails: bool, instantiate_fails: bool) -> ModuleType:
    """A module that stands for cuda.bindings.driver."""
    module = ModuleType("cuda.bindings.driver", "A simulated cuda.bindings.driver.")
    functions = Functions(simulation, end_fails=end_fails, instantiate_fails=instantiate_fails)
    names = [name for name in vars(Functions) if not name.startswith("_")]
    kinds = (CUresult, CUstreamCaptureMode, CUstream, CUgraph, CUgraphExec)
    vars(module).update({name: getattr(functions, name) for name in names})
    vars(module).update({kind.__name__: kind for kind in kinds})
    return module
