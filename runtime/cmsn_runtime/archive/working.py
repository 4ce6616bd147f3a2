"""One video through an opened bundle into one result, written whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from cmsn_runtime.archive.identity import Stamp
from cmsn_runtime.archive.records import FoundProposal, VideoResult, result_bytes
from cmsn_runtime.archive.splitting.computing import part_features, read_part
from cmsn_runtime.archive.splitting.joining import events_of, joined
from cmsn_runtime.archive.splitting.parts import CHUNK_STEPS, Part
from cmsn_runtime.archive.stores import open_store
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import locate_bundle, name_of, read_manifest_file
from cmsn_runtime.closing import Closing
from cmsn_runtime.collecting import collect
from cmsn_runtime.errors import SourceError
from cmsn_runtime.events import Event
from cmsn_runtime.manifest.reading import parse_manifest
from cmsn_runtime.site import tuned
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.features import FeatureSource
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.video import VideoSource


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """What every worker of an archive needs; it can be pickled. place: of the results. Others as in `open_bundle`."""

    place: str
    bundle: str
    backend: str
    threads: int
    settings: Mapping[str, Any]
    hop_steps: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One video to compute, and the name of its result.

    part: only this part's features. join: the parts whose features are all there.
    """

    key: str
    stamp: Stamp
    part: Part | None = None
    join: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """A job that has a result. seconds: of video. incomplete: as in VideoResult."""

    seconds: float
    incomplete: str
    proposals: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A job whose video cannot be read at all, with the reason: trying again cannot help."""

    reason: str


class Worker(Protocol):
    """What computes videos one after the other in a process of its own."""

    def work(self, job: Job) -> Done | Unreadable:
        """Compute a video and write its result. Raises CmsnError where no other video can be computed either."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...

    def __enter__(self) -> Worker: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


OpenWorker = Callable[[WorkSettings], Worker]


class VideoWorker(Closing):
    """An opened bundle that computes videos one after the other. Raises BundleError, OutputError."""

    def __init__(self, settings: WorkSettings) -> None:
        self._settings = settings
        self._store = open_store(settings.place)
        self._setup = setup_of(settings)
        self._bundle = open_bundle(
            settings.bundle,
            backend=settings.backend,
            threads=settings.threads,
            settings=settings.settings,
        )

    def close(self) -> None:
        """Release the bundle."""
        self._bundle.close()

    def work(self, job: Job) -> Done | Unreadable:
        """Compute a video and write its result. Raises OutputError, BackendError."""
        begin = time.perf_counter()
        address = job.stamp.address
        try:
            if job.part is not None:
                self._store.write(job.part.name(job.key), part_features(self._bundle, address, job.part).content())
                return Done(0.0, "", 0)
            found = self._joined(job) if job.join else None
            found = found or self._whole(address)
        except SourceError as error:
            return Unreadable(str(error))
        result = self._result(job, found, time.perf_counter() - begin)
        self._store.write(f"results/{job.key}.json", result_bytes(result))
        for part in job.join:
            self._store.remove(part.name(job.key))
        return Done(result.duration, result.incomplete, len(result.proposals))

    def _joined(self, job: Job) -> _Found | None:
        """What one pass over the features of all parts finds; None where they do not fit each other."""
        contents = [self._store.read(part.name(job.key)) for part in job.join]
        parts = [read_part(content) for content in contents if content is not None]
        features = joined(parts) if len(parts) == len(job.join) else None
        if features is None:
            return None
        frames, last = parts[-1].frames, parts[-1].last_seconds
        if frames is None or last is None:
            return None
        events = events_of(
            self._bundle,
            features,
            origin=job.join[0].origin,
            frames=frames,
            chunk_frames=self._chunk,
            hop_steps=self._settings.hop_steps,
        )
        with open_source(job.stamp.address) as source:
            return _Found(events, last, "", _rate(source))

    def _whole(self, address: str) -> _Found:
        bundle, hop = self._bundle, self._settings.hop_steps
        if bundle.manifest.features is not None:
            width = bundle.manifest.features.width
            with FeatureSource(address, rate=bundle.grid.fps, width=width) as rows:
                found = collect(partial(bundle.feature_stream, chunk_rows=self._chunk, hop_steps=hop), rows)
            return _Found(found.finals, found.ending.seconds, found.ending.reason, None)
        with open_source(address) as frames:
            rate = _rate(frames)
            found = collect(partial(bundle.stream, chunk_frames=self._chunk, hop_steps=hop), frames)
        return _Found(found.finals, found.ending.seconds, found.ending.reason, rate)

    @property
    def _chunk(self) -> int:
        return self._bundle.backend.chunk_frames or CHUNK_STEPS * self._bundle.grid.stride

    def _result(self, job: Job, found: _Found, took: float) -> VideoResult:
        proposals = tuple(
            FoundProposal(
                event.action,
                event.rank,
                float(event.proposal.start),
                float(event.proposal.end),
                float(event.proposal.score),
            )
            for event in found.finals
        )
        return VideoResult(
            job.key,
            job.stamp,
            self._bundle.manifest.name,
            self._setup,
            float(found.seconds or 0),
            found.rate,
            found.incomplete,
            round(took, 3),
            proposals,
        )


class _Found(NamedTuple):
    """What was found in a video. seconds: time of its last frame. rate: the file's own frame rate."""

    finals: Sequence[Event]
    seconds: Fraction | None
    incomplete: str
    rate: float | None


def _rate(source: Source) -> float | None:
    rate = source.stream.average_rate if isinstance(source, VideoSource) else None
    return float(rate) if rate else None


def setup_of(settings: WorkSettings) -> dict[str, object]:
    """What beside the video determines a result: the bundle's content and the settings that differ from its own.

    Raises BundleError, SettingsError.
    """
    folder = locate_bundle(settings.bundle)
    raw = read_manifest_file(folder)
    manifest = parse_manifest(raw, bundle=name_of(folder))
    tuning = tuned(manifest.proposals, manifest.tracking, settings.settings)
    return {"bundle": hashlib.sha256(raw).hexdigest(), "settings": tuning.values, "hop_steps": settings.hop_steps}
