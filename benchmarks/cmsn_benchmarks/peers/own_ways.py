"""This project's backends on a stream: a chunk of frames a call, every frame once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from cmsn_benchmarks.peers.way import CHECKED_FRAMES, Frames, Way, Work
from cmsn_runtime.backends.asks import Extract, ExtractorState, Floats, StepFeatures
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.errors import BackendWarning
from cmsn_training.models.incremental import DELAY_STEPS

MIDDLE = 800  # frames into a stream, beyond every receptive field


class Extracting(Protocol):
    """What advances states: a backend, or an extractor alone."""

    def new_state(self) -> ExtractorState:
        """Before the first frame."""
        ...

    def extract(self, asks: Sequence[Extract]) -> Sequence[StepFeatures]:
        """See Backend.extract."""
        ...


def streamed(work: Work, backend: str, chunk: int) -> Way:
    """A backend by its name. Raises BackendWarning where another would take over."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", BackendWarning)
        bundle = open_bundle(work.bundle, backend=backend, threads=work.threads)
    opened = bundle.backend
    state = opened.new_state()
    return Way(
        frames=chunk,
        call=lambda: _advance(opened, work.frames[:chunk], state, MIDDLE),
        features=lambda: beginning(opened, work.frames[:CHECKED_FRAMES], chunk),
        close=bundle.close,
    )


def beginning(backend: Extracting, frames: Frames, chunk: int) -> Floats:
    """A stream's first features, without those of negative steps."""
    state = backend.new_state()
    starts = range(0, len(frames), chunk)
    parts = [_advance(backend, frames[start : start + chunk], state, start) for start in starts]
    return np.concatenate(parts)[DELAY_STEPS:]


def _advance(backend: Extracting, frames: Frames, state: ExtractorState, position: int) -> Floats:
    return on_host(backend.extract([Extract(frames, state, position, UNKNOWN_LENGTH)])[0])
