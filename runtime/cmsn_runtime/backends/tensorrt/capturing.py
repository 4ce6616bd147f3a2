"""Work on a stream recorded as CUDA graphs, by cuda-bindings where it is installed: pycuda cannot capture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cmsn_runtime.errors import BackendError


class Capturing:
    """Records work that is enqueued on a stream. available: whether it can; False once cuda-bindings lacks a driver."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._graphs = _graph_library()

    @property
    def available(self) -> bool:
        """Whether capturing may succeed."""
        return self._graphs is not None

    def capture(self, enqueue: Callable[[], None]) -> CapturedWork | None:
        """The work that `enqueue` puts on the stream, as a graph that has been launched; None where that is impossible.

        The same work must have run once before: libraries allocate memory on their first call.
        """
        if self._graphs is None:
            return None
        mode = self._graphs.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        try:
            begun = self._graphs.cuStreamBeginCapture(self._stream.handle, mode)
        except Exception:  # cuda-bindings raises its own errors where it does not find the driver's library
            self._graphs = None
            return None
        if int(begun[0]) != 0:
            return None
        refused = False
        try:
            enqueue()
        except BackendError:  # some work cannot be captured, such as loops; it runs without a graph
            refused = True
        finally:  # a stream that is left capturing could never be used again
            status, graph = self._graphs.cuStreamEndCapture(self._stream.handle)
        if int(status) != 0:
            return None
        if refused:
            self._graphs.cuGraphDestroy(graph)
            return None
        status, executable = self._graphs.cuGraphInstantiate(graph, 0)
        self._graphs.cuGraphDestroy(graph)
        return CapturedWork(self._stream, self._graphs, executable) if int(status) == 0 else None


class CapturedWork:
    """Work on a stream that is launched as a whole, with the addresses it was captured with."""

    def __init__(self, stream: Any, graphs: Any, executable: Any) -> None:
        self._stream = stream
        self._graphs = graphs
        self._executable = executable

    def launch(self) -> None:
        """Enqueue it once more. Raises BackendError where CUDA does not."""
        status = self._graphs.cuGraphLaunch(self._executable, self._stream.handle)[0]
        if int(status) != 0:
            raise BackendError(f"CUDA could not launch a graph ({status}); restart the process")

    def destroy(self) -> None:
        """Release it; it must not be running."""
        self._graphs.cuGraphExecDestroy(self._executable)


def _graph_library() -> Any:
    """cuda-bindings' driver module, which can capture streams; None where it is not installed."""
    try:
        from cuda.bindings import driver  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return None
    return driver
