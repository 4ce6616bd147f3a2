"""This project's way to compile for OpenVINO, with some of its properties changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cmsn_benchmarks.peers.way import Work
from cmsn_runtime.backends.openvino.compiling import Compilation
from cmsn_runtime.backends.openvino.library import CPU
from cmsn_runtime.backends.openvino.precisions import Precision


@dataclass(frozen=True, slots=True)
class Changed(Compilation):
    """more: properties of OpenVINO instead of, or beside, those that the backend sets."""

    more: Mapping[str, object]

    def options(self) -> dict[str, object]:
        """See Compilation.options."""
        return {**Compilation.options(self), **self.more}


def compilation(work: Work, precision: Precision, *, streams: int = 1, **more: object) -> Changed:
    """All threads of the work, divided among the streams. Raises BackendError where the CPU lacks the precision."""
    precision.require(CPU)
    threads = max(1, work.threads // streams)
    return Changed(
        device=CPU, hint=precision.hint, threads=threads, streams=streams, winograd=True, cache=None, more=more
    )
