"""What a hop costs by the length of the window: the stage network, proposing, and the evaluation of candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch

from cmsn_benchmarks.growth.fitting import fit_growth
from cmsn_benchmarks.growth.proposals import hop_of, milliseconds, window_of
from cmsn_benchmarks.growth.series import Part, Series, by_size
from cmsn_benchmarks.speed.extraction import paper_config
from cmsn_benchmarks.speed.postprocessing import STEPS, probabilities_of
from cmsn_export.graphs import build_graphs
from cmsn_runtime.backends.asks import Evaluate, Stages
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.proposing import pipeline
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_training.config import parse_config
from cmsn_training.models.c3d_layers import scaled
from cmsn_training.models.cmsn import ASS_CHANNELS, CMSN

WINDOWS = (48, 96, 192, 384)  # steps
_ACTIONS = 2 / STEPS  # per step: a longer window holds more of them
_REACH = 11  # starts and ends of each: 121 candidates


@dataclass(frozen=True, slots=True)
class Hop:
    """The parts of one hop of a window, ready to be timed."""

    candidates: int
    parts: dict[str, Callable[[], object]]


def graphs_of(steps: int, width: float) -> dict[str, bytes]:
    """The untrained networks for windows of so many steps. The extractor, which no window matters to, takes rows."""
    sizes = paper_config(width).model
    values = {
        "data": {"videos": ".", "annotations": "."},
        "model": {"lstm_hidden": sizes.lstm_hidden, "evaluator_hidden": sizes.evaluator_hidden},
        "features": {"width": scaled(ASS_CHANNELS, width), "context": 0},
        "grid": {"window": steps},
    }
    torch.manual_seed(0)
    return build_graphs(CMSN(parse_config(values, origin="benchmark")).eval(), window=steps)


def hop(backend: OnnxRuntimeBackend, steps: int) -> Hop:
    """One hop with actions as dense in every window, each with as many candidates."""
    settings = ProposalSettings()
    stages = window_of(_REACH, actions=round(_ACTIONS * steps), steps=steps)
    probabilities = probabilities_of(stages)
    found = pipeline.propose(probabilities, frontier=0, settings=settings)
    window = backend.new_window(steps)
    window.push(np.random.default_rng(0).standard_normal((steps, backend.feature_channels)).astype(np.float32))
    asks = Stages(window), Evaluate(window, found.left, found.right)
    parts: dict[str, Callable[[], object]] = {
        "stage network": lambda: backend.stages([asks[0]]),
        "proposing": hop_of(probabilities, settings),
        "evaluation of the candidates": lambda: backend.evaluate([asks[1]]),
    }
    return Hop(len(found), parts)


def measure_window(*, width: float, rounds: int, seconds: float, windows: Sequence[int] = WINDOWS) -> Part:
    """On ONNX Runtime with one thread. seconds: of each part and window per round."""
    pipeline.warm_up_kernels()
    with ExitStack() as stack:
        hops = []
        for steps in windows:
            backend = stack.enter_context(OnnxRuntimeBackend(graphs_of(steps, width), [], threads=1))
            hops.append(hop(backend, steps))
        for each in hops:
            for action in each.parts.values():
                action()
        turns = [
            {name: [milliseconds(each.parts[name], seconds) for each in hops] for name in hops[0].parts}
            for _ in range(rounds)
        ]
    series = []
    for name in turns[0]:
        values = by_size([turn[name] for turn in turns])
        series.append(Series(name=name, unit="ms of CPU", values=values, growth=fit_growth(windows, values)))
    candidates = tuple(float(each.candidates) for each in hops)
    return Part(
        size="steps of the window",
        sizes=tuple(map(float, windows)),
        series=tuple(series),
        beside={"candidates": candidates, "width of the network": (width,)},
    )
