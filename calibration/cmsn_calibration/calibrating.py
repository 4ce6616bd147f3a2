"""From a bundle and videos to an INT8 extractor: looks, chooses, collects, decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from cmsn_calibration.choosing import LayerRange, choose_ranges
from cmsn_calibration.collecting import collect
from cmsn_calibration.damage import Part, Reference
from cmsn_calibration.excerpts import Excerpt, excerpts_of, read_excerpt
from cmsn_calibration.histogram import Histogram
from cmsn_calibration.kept import KeptCollection
from cmsn_calibration.layers import Layer, quantisable
from cmsn_calibration.ranges import METHODS
from cmsn_calibration.stretches import Stretch, choose, look_at
from cmsn_calibration.suspicion import doubts, faults, strangeness
from cmsn_calibration.watching import Watcher
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.errors import SettingsError, SourceError
from cmsn_runtime.manifest.contents import FULL_PRECISION, Manifest
from cmsn_runtime.names import VIDEO_SUFFIXES

_LOOKED_AT = 3  # excerpts for one that is chosen, so that there is a choice
_COMPARED = 8  # stretches whose features decide between ranges

# Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], object]
Note = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSettings:
    """stretches: how many are run. seconds: length of each. seed: of the choice. methods: that may find a range.

    Raises SettingsError.
    """

    stretches: int = 64
    seconds: float = 4.0
    seed: int = 0
    methods: tuple[str, ...] = tuple(METHODS)

    def __post_init__(self) -> None:
        if self.stretches < 1 or not self.seconds > 0:
            raise SettingsError(f"{self.stretches} stretches of {self.seconds:g} s are to be run; both must be above 0")


@dataclass(frozen=True, slots=True)
class Calibration:
    """graph: the extractor in FP32, ONNX bytes. layers: that may be INT8. ranges: of each, with its damage alone.

    stretches: that were run. reference: the features in FP32, to compare with. tenth: by layer, what it read in every
    tenth of the stretches.
    """

    graph: bytes
    layers: tuple[Layer, ...]
    ranges: tuple[LayerRange, ...]
    stretches: tuple[Stretch, ...]
    reference: Reference
    tenth: Mapping[str, Histogram]

    @property
    def found_ranges(self) -> dict[str, float]:
        """Layer -> the range of what it reads."""
        return {item.layer: item.range for item in self.ranges}


def videos_in(folder: Path, *, option: str = "--videos") -> list[Path]:
    """The videos of a folder and those below it, in order of their names. option: that named it, for messages.

    Raises SettingsError where there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
    if not found:
        raise SettingsError(f"{option} {folder}: there are no videos in it; give a folder with files such as NAME.mp4")
    return found


def calibrate(
    folder: Path, videos: Sequence[Path], settings: CalibrationSettings, *, progress: Progress, note: Note
) -> Calibration:
    """The ranges of a bundle's extractor on stretches of the videos. What is doubtful about them goes to `note`.

    A Ctrl-C while the stretches are run goes on with those that were; they are kept, and the next call goes on with
    the others. Raises SettingsError for a bundle of feature rows, or videos that are no basis.
    """
    manifest = read_manifest(folder)
    if manifest.preprocessing is None:
        raise SettingsError(f"{manifest.name} takes feature rows; only extractors of pictures are calibrated")
    graph = read_graph(folder, manifest.variant(FULL_PRECISION).graphs["extractor"])
    layers = quantisable(onnx.load_from_string(graph))
    stretches = _chosen(manifest, videos, settings, progress=progress, note=note)
    threads = os.cpu_count() or 1

    def read(stretch: Stretch) -> Part:
        return read_excerpt(stretch.excerpt, manifest, run_in=manifest.network.receptive_field_frames)

    tensors = [layer.activation for layer in layers]
    kept = KeptCollection(graph, tensors, stretches)
    before = kept.read()
    if before is not None:
        note(f"{len(before.stretches)} of {len(stretches)} stretches were run by an earlier call, and kept")
    collected = collect(
        Watcher(graph, tensors, threads=threads),
        tensors,
        stretches,
        read,
        stride=manifest.grid.stride,
        before=before,
        keep=kept.write,
        progress=lambda done: progress("running stretches", done, len(stretches)),
    )
    if len(collected.stretches) < len(stretches):
        note(f"stopped after {len(collected.stretches)} of {len(stretches)} stretches, which go on as all")
    compared = _spread(collected.stretches, _COMPARED)
    reference = Reference(graph, [read(item) for item in compared], stride=manifest.grid.stride, threads=threads)
    done = iter(range(1, len(layers) + 1))
    ranges = choose_ranges(
        graph,
        layers,
        collected.histograms,
        reference,
        methods=settings.methods,
        progress=lambda: progress("choosing ranges", next(done), len(layers)),
    )
    tenth = {layer.name: collected.tenth[layer.activation] for layer in layers}
    return Calibration(graph, layers, ranges, collected.stretches, reference, tenth)


def _chosen(
    manifest: Manifest, videos: Sequence[Path], settings: CalibrationSettings, *, progress: Progress, note: Note
) -> tuple[Stretch, ...]:
    looked = list(_looks(manifest, videos, settings, progress=progress, note=note))
    stretches = choose(looked, count=settings.stretches, seed=settings.seed)
    wrong = list(faults(stretches))
    if wrong:
        raise SettingsError("; ".join(wrong))
    for line in (*doubts(stretches), *strangeness(stretches, manifest.training.get("pictures"))):
        note(line)
    return stretches


def _looks(
    manifest: Manifest, videos: Sequence[Path], settings: CalibrationSettings, *, progress: Progress, note: Note
) -> Iterator[Stretch]:
    """What is in excerpts of all videos; those that cannot be read are left out."""
    frames = max(2, round(settings.seconds * manifest.grid.fps))
    most = max(1, -(-_LOOKED_AT * settings.stretches // len(videos)))
    for index, video in enumerate(videos, start=1):
        rng = np.random.default_rng([settings.seed, *video.name.encode()])  # others may come and go
        try:
            for excerpt in excerpts_of(video, manifest, frames=frames, most=most, rng=rng):
                yield from _look(excerpt, manifest)
        except SourceError as error:
            note(f"{error}; left out")
        progress("looking at videos", index, len(videos))


def _look(excerpt: Excerpt, manifest: Manifest) -> Iterator[Stretch]:
    frames, _ = read_excerpt(excerpt, manifest, run_in=0)
    if len(frames) > 1:
        yield look_at(excerpt, frames)


def _spread(stretches: Sequence[Stretch], count: int) -> list[Stretch]:
    """So many of them, evenly from the least to the most motion."""
    by_motion = sorted(stretches, key=lambda stretch: stretch.motion)
    places = np.unique(np.linspace(0, len(by_motion) - 1, min(count, len(by_motion))).round().astype(int))
    return [by_motion[place] for place in places]
