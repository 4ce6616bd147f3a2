"""Where a stream's time goes on OpenVINO, by its own profile: in convolutions, or in what the states add to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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

_CALLS = 5  # of a round

Figures = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Profile:
    """Seconds per frame, of each round: in convolutions, and in everything else."""

    convolutions: np.typing.NDArray[np.float64]
    others: np.typing.NDArray[np.float64]


def state_work(work: Work, precisions: Sequence[Precision], chunks: Sequence[int], *, rounds: int) -> Figures:
    """For each precision and number of frames a call, with states (a stream) against without (a clip as long as that):

    share_of_states: what everything but the convolutions takes longer, over the whole call.
    convolutions_over_those_of_the_longest: their time per frame, over that of the longest chunk. They are the same
    products but for those of the layers with a single step, which OpenVINO's kernels and fewer products do not suit.
    """
    report: Figures = {}
    for precision in precisions:
        streams = {chunk: _profiled(_stream(work, precision, chunk), chunk, rounds) for chunk in chunks}
        for chunk, stream in streams.items():
            clip = _profiled(_clip(work, precision, chunk), chunk, rounds)
            longest = streams[max(streams)].convolutions
            report[f"{precision.name}, {chunk} frames a call"] = {
                "share_of_states": spread((stream.others - clip.others) / (stream.convolutions + stream.others)),
                "convolutions_over_those_of_the_longest": spread(stream.convolutions / longest),
            }
    return report


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


def _profiled(request: Any, frames: int, rounds: int) -> _Profile:
    request.infer()
    found = [_round(request, frames) for _ in range(rounds)]
    return _Profile(*(np.array(column) for column in zip(*found, strict=True)))


def _round(request: Any, frames: int) -> tuple[float, float]:
    seconds = {True: 0.0, False: 0.0}
    for _ in range(_CALLS):
        request.infer()
        for node in request.get_profiling_info():
            seconds[node.node_type == "Convolution"] += node.real_time.total_seconds() / (_CALLS * frames)
    return seconds[True], seconds[False]
