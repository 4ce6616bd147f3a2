"""Where a stream's time goes on OpenVINO, by its own profile: in convolutions, or in what the states add to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cmsn_benchmarks.peers.offline import graph_without_states
from cmsn_benchmarks.peers.openvino_options import compilation
from cmsn_benchmarks.peers.own_ways import MIDDLE
from cmsn_benchmarks.peers.way import Work
from cmsn_benchmarks.speed.backends import spread
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.counters import counters
from cmsn_runtime.backends.openvino.compiling import compiled, read_model
from cmsn_runtime.backends.openvino.precisions import Precision
from cmsn_runtime.bundle_files import read_graph, read_manifest

Figures = dict[str, object]
Seconds = npt.NDArray[np.float64]  # per frame: [2, rounds], in convolutions and in everything else


def state_work(work: Work, precisions: Sequence[Precision], chunks: Sequence[int], *, rounds: int) -> Figures:
    """For each precision and number of frames a call, with states (a stream) against without (a clip as long as that):

    share_of_states: what everything but the convolutions takes longer, over the whole call.
    convolutions_over_those_of_the_longest: their time per frame, over that of the longest chunk. They are the same
    products but for those of the layers with a single step, which OpenVINO's kernels and fewer products do not suit.
    """
    report: Figures = {}
    for precision in precisions:
        streams, clips = _profiles(work, precision, chunks, rounds)
        for chunk in chunks:
            (convolutions, others), (_, without) = streams[chunk], clips[chunk]
            report[f"{precision.name}, {chunk} frames a call"] = {
                "share_of_states": spread((others - without) / (convolutions + others)),
                "convolutions_over_those_of_the_longest": spread(convolutions / streams[max(chunks)][0]),
            }
    return report


def _profiles(work: Work, precision: Precision, chunks: Sequence[int], rounds: int) -> list[dict[int, Seconds]]:
    """Of streams, and of clips, by the number of frames; all take turns."""
    requests = [{chunk: opened(work, precision, chunk) for chunk in chunks} for opened in (_stream, _clip)]
    found: list[dict[int, list[tuple[float, float]]]] = [{chunk: [] for chunk in chunks} for _ in requests]
    for number in range(rounds + 1):
        for ways, times in zip(requests, found, strict=True):
            for chunk, request in ways.items():
                seconds = _profiled(request, chunk, calls=max(chunks) // chunk)
                if number:  # the first warms up
                    times[chunk].append(seconds)
    return [{chunk: np.array(times).T for chunk, times in each.items()} for each in found]


def _stream(work: Work, precision: Precision, chunk: int) -> Any:
    manifest = read_manifest(work.bundle)
    graph = read_graph(work.bundle, manifest.variant(precision.variant).graphs["extractor"])
    position, length = counters(MIDDLE, UNKNOWN_LENGTH, stride=manifest.grid.stride)
    return _request(work, precision, graph, {"frames": work.frames[:chunk], "position": position, "length": length})


def _clip(work: Work, precision: Precision, chunk: int) -> Any:
    return _request(work, precision, graph_without_states(work.extractor), {"frames": work.frames[:chunk]})


def _request(work: Work, precision: Precision, graph: bytes, inputs: Mapping[str, Any]) -> Any:
    """A request that is profiled; its states are zeros."""
    frames = len(inputs["frames"])
    options = compilation(work, precision, PERF_COUNT=True)
    request: Any = compiled("extractor", read_model("extractor", graph), frames, options).create_infer_request()
    for port in request.model_inputs:
        name = port.get_any_name()
        request.get_tensor(name).data[...] = inputs.get(name, 0)
    return request


def _profiled(request: Any, frames: int, *, calls: int) -> tuple[float, float]:
    """Seconds per frame in convolutions, and in everything else."""
    seconds = {True: 0.0, False: 0.0}
    for _ in range(calls):
        request.infer()
        for node in request.get_profiling_info():
            seconds[node.node_type == "Convolution"] += node.real_time.total_seconds() / (calls * frames)
    return seconds[True], seconds[False]
