"""Keeps what was collected in the user's cache, so that a calibration that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from cmsn_calibration.collecting import Collected
from cmsn_calibration.histogram import BINS, Histogram
from cmsn_calibration.stretches import Stretch
from cmsn_runtime.backends.engine_cache import cache_folder, make_folder
from cmsn_runtime.errors import BackendError, OutputError
from cmsn_runtime.files import write_whole

_KINDS = ("all", "tenth")


class KeptCollection:
    """The file of one collection: of these stretches of these files, through this graph, as ONNX bytes.

    Where it cannot be written, nothing is kept, which costs time only.
    """

    def __init__(self, graph: bytes, tensors: Sequence[str], stretches: Sequence[Stretch]) -> None:
        self._tensors, self._stretches = tensors, stretches
        digest = hashlib.sha256(graph)
        for item in stretches:
            excerpt, status = item.excerpt, item.excerpt.video.stat()
            facts = (excerpt.video.resolve(), status.st_size, status.st_mtime_ns, excerpt.begin, excerpt.frames)
            digest.update(repr(facts).encode())
        self._path = cache_folder() / "calibration" / f"{digest.hexdigest()[:32]}.json"

    def read(self) -> Collected | None:
        """What an earlier call has collected; None for nothing."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            held = json.loads(self._path.read_text(encoding="utf-8"))
            all_, tenth = ({name: _histogram(held[kind][name]) for name in self._tensors} for kind in _KINDS)
            return Collected(all_, tenth, tuple(self._stretches[: int(held["stretches"])]))
        return None

    def write(self, collected: Collected) -> None:
        """Keep it, instead of what was there."""
        content: dict[str, object] = {"stretches": len(collected.stretches)}
        for kind, found in zip(_KINDS, (collected.histograms, collected.tenth), strict=True):
            content[kind] = {name: [item.counts.tolist(), item.top, item.largest] for name, item in found.items()}
        with suppress(OSError, OutputError, BackendError):
            make_folder(self._path.parent)
            write_whole(self._path, json.dumps(content).encode())


def _histogram(held: tuple[list[int], float, float]) -> Histogram:
    counts, top, largest = held
    if len(counts) != BINS:
        raise ValueError(f"{len(counts)} bins instead of {BINS}")
    return Histogram(np.array(counts, np.int64), float(top), float(largest))
