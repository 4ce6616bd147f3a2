"""Measures the features of a backend against FP32 on excerpts of videos that nothing was chosen on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cmsn_calibration.excerpts import Pixels, excerpts_of, read_excerpt
from cmsn_calibration.stream_error import decibels, errors_along
from cmsn_runtime.backends.base import Backend
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.manifest.contents import Manifest

_MOST, _SECONDS = 8, 4


class Probes:
    """One excerpt of 4 s of each of up to eight of the videos, evenly from the list.

    reference: a bundle in FP32, which is opened again for each comparison.
    """

    def __init__(self, reference: Bundle, videos: Sequence[Path]) -> None:
        manifest = reference.manifest
        self._folder = reference.path
        self._stride = manifest.grid.stride
        self._parts = [_part(video, manifest) for video in videos[:: -(-len(videos) // _MOST)]]

    def signal_to_noise(self, backend: Backend) -> float:
        """Of a backend's features on all excerpts, in dB."""
        sums = np.zeros(2)
        with open_bundle(self._folder, backend="onnxruntime") as reference:
            for frames, before in self._parts:
                steps = errors_along(backend, reference.backend, self._steps(frames))
                pairs = np.array(list(steps))[before // self._stride :]
                sums += pairs.sum(axis=0)
        return decibels(float(sums[0]), float(sums[1]))

    def _steps(self, frames: Pixels) -> Iterator[Pixels]:
        for begin in range(0, len(frames) - self._stride + 1, self._stride):
            yield frames[begin : begin + self._stride]


def _part(video: Path, manifest: Manifest) -> tuple[Pixels, int]:
    length = round(_SECONDS * manifest.grid.fps)
    (excerpt,) = excerpts_of(video, manifest, frames=length, most=1, rng=np.random.default_rng(0))
    return read_excerpt(excerpt, manifest, run_in=manifest.network.receptive_field_frames)
