"""Two cameras on OpenVINO: one stream of all threads or one per camera, threads pinned to cores or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cmsn_benchmarks.peers.openvino_options import compilation
from cmsn_benchmarks.peers.own_ways import MIDDLE, beginning
from cmsn_benchmarks.peers.way import CHECKED_FRAMES, Way, Work
from cmsn_benchmarks.speed.backends import HOP_FRAMES
from cmsn_runtime.backends.asks import Extract, Floats
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.openvino.extracting import OpenVinoExtractor
from cmsn_runtime.backends.openvino.precisions import Precision
from cmsn_runtime.backends.openvino.state import OpenVinoState
from cmsn_runtime.bundle_files import read_graph, read_manifest

CAMERAS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """streams: runs at the same time, which share the threads. together: both cameras are asked for at once."""

    streams: int
    pinned: bool
    together: bool

    @property
    def name(self) -> str:
        """For tables."""
        asked = "at once" if self.together else "in turn"
        return f"{asked}, {self.streams} stream{'s' * (self.streams > 1)}, {'pinned' if self.pinned else 'not pinned'}"


PLACINGS = tuple(
    Placing(streams=streams, pinned=pinned, together=together)
    for streams, together in ((1, False), (2, True))
    for pinned in (False, True)
)


def placed(work: Work, precision: Precision, placing: Placing) -> Way:
    """8 frames of each camera a call. Raises BackendError."""
    manifest = read_manifest(work.bundle)
    extractor = OpenVinoExtractor(
        partial(read_graph, work.bundle, manifest.variant(precision.variant).graphs["extractor"]),
        manifest.state_tensors(precision.variant),
        compilation(work, precision, streams=placing.streams, ENABLE_CPU_PINNING=placing.pinned),
        stride=manifest.grid.stride,
    )
    two = _Two(extractor, placing)
    asks = [Extract(work.frames[:HOP_FRAMES], two.new_state(), MIDDLE, UNKNOWN_LENGTH) for _ in range(CAMERAS)]
    return Way(
        frames=CAMERAS * HOP_FRAMES,
        call=lambda: two.extract(asks),
        features=lambda: beginning(two, work.frames[:CHECKED_FRAMES], HOP_FRAMES),
        close=extractor.close,
    )


@dataclass(frozen=True, slots=True)
class _Two:
    extractor: OpenVinoExtractor
    placing: Placing

    def new_state(self) -> OpenVinoState:
        return self.extractor.new_state()

    def extract(self, asks: Sequence[Extract]) -> list[Floats]:
        batches = [asks] if self.placing.together else [[ask] for ask in asks]
        return [features for batch in batches for features in self.extractor.run(batch)]
