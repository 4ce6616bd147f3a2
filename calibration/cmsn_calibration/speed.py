"""How fast extractors are on this machine, in turns, one step of one camera a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from cmsn_calibration.comparing import REFERENCE, int8_backend, opened_for_certain
from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.openvino.library import capabilities, is_installed
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.pictures.example import moving_picture

_ROUNDS, _SECONDS = 9, 0.25
_MIDDLE = 800  # frames into a stream


@dataclass(frozen=True, slots=True)
class Runner:
    """A bundle on a backend."""

    folder: Path
    backend: str


@dataclass(frozen=True, slots=True)
class Speed:
    """frames_per_second: median of the turns. ratio: to the reference's in the same turn, median, least and most."""

    frames_per_second: float
    ratio: float
    least: float
    most: float


def float_backends() -> list[str]:
    """Those of this machine's processor that run a bundle without its INT8 variant, the reference first."""
    if not is_installed():
        return [REFERENCE]
    halves = [f"openvino-{name.lower()}" for name in ("BF16", "FP16") if name in capabilities()]
    return [REFERENCE, "openvino", *halves]


def int8_backends() -> list[str]:
    """Those that run an INT8 variant here."""
    return list(dict.fromkeys(["onnxruntime-int8", int8_backend()]))


def step_seconds(runners: Mapping[str, Runner], *, rounds: int = _ROUNDS) -> dict[str, list[float]]:
    """Name -> seconds of one step in each turn. Raises BackendError."""
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(opened_for_certain(runner.folder, runner.backend))
            for name, runner in runners.items()
        }
        steps = {name: _step(bundle) for name, bundle in opened.items()}
        turns = [{name: _seconds(step) for name, step in steps.items()} for _ in range(rounds)]
    return {name: [turn[name] for turn in turns] for name in runners}


def speeds(runners: Mapping[str, Runner], *, stride: int) -> dict[str, Speed]:
    """Against the first of them. stride: frames of a step."""
    found = step_seconds(runners)
    reference = next(iter(found.values()))
    report = {}
    for name, times in found.items():
        ratios = [base / own for base, own in zip(reference, times, strict=True)]
        report[name] = Speed(stride / median(times), median(ratios), min(ratios), max(ratios))
    return report


def _step(bundle: Bundle) -> Callable[[], object]:
    height, width, channels = bundle.manifest.input_shape
    frames = moving_picture(np.random.default_rng(0), (height, width), bundle.grid.stride, channels=channels)
    state = bundle.backend.new_state()

    def run() -> None:
        answer_alone(extract(frames, state, position=_MIDDLE, length=UNKNOWN_LENGTH), bundle.backend)

    run()
    return run


def _seconds(step: Callable[[], object]) -> float:
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < _SECONDS:
        step()
        count += 1
    return (time.perf_counter() - begin) / count
