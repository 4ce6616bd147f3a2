"""The progress of a build: minutes of silence look like a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cmsn_runtime.closing import Closing
from cmsn_runtime.stopping import Steps
from cmsn_runtime.text import printable


class BuildProgress(Closing):
    """A progress bar per phase of a build, with the remaining time. Use it in a `with` block."""

    def __init__(self, console: Console | None = None) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._phases: dict[str, TaskID] = {}
        self._lock = threading.Lock()  # TensorRT reports from several threads

    def __enter__(self) -> BuildProgress:
        self._bars.start()
        return self

    def close(self) -> None:
        """Remove the bars."""
        self._bars.stop()

    def begin(self, phase: str, steps: int | None) -> None:
        """A phase begins. steps: their number; None where it is unknown."""
        with self._lock:
            self._phases[phase] = self._bars.add_task(printable(phase), total=steps)

    def step(self, phase: str, done: int) -> None:
        """`step` steps of the phase are complete."""
        with self._lock:
            if phase in self._phases:
                self._bars.update(self._phases[phase], completed=done)

    def end(self, phase: str) -> None:
        """The phase has ended."""
        with self._lock:
            task = self._phases.pop(phase, None)
            if task is not None:
                self._bars.remove_task(task)


def attach(trt: Any, config: Any, progress: BuildProgress | None) -> Any:
    """A monitor that reports to `progress`; None before TensorRT 10. It checks `.is_stopped` at each step."""
    if progress is None or not hasattr(trt, "IProgressMonitor"):
        return None

    bars = progress

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.is_stopped: Callable[[], bool] = lambda: False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            bars.begin(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            bars.step(phase_name, step + 1)
            return not self.is_stopped()

        def phase_finish(self, phase_name: str) -> None:
            bars.end(phase_name)

    monitor = Monitor()
    config.progress_monitor = monitor
    return monitor


@contextmanager
def stopped_by_signals(monitor: Any) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP ask the monitor to stop the build; they take effect at the end of the block: an
    exception in one of its calls would be lost inside TensorRT.

    Without a monitor, or outside of the main thread, nothing is changed.
    """
    if monitor is None:
        yield
        return
    with Steps() as steps, steps.whole:
        monitor.is_stopped = lambda: steps.whole.waiting is not None
        yield
