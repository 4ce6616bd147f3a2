"""One video through an opened bundle into one result, written whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from cmsn_runtime.archive.identity import Stamp
from cmsn_runtime.archive.records import FoundProposal, VideoResult, result_bytes
from cmsn_runtime.archive.stores import open_store
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import locate_bundle, name_of, read_manifest_file
from cmsn_runtime.closing import Closing
from cmsn_runtime.collecting import Prediction, collect
from cmsn_runtime.errors import SourceError
from cmsn_runtime.manifest.reading import parse_manifest
from cmsn_runtime.site import tuned
from cmsn_runtime.sources.features import FeatureSource
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.sources.video import VideoSource

CHUNK_STEPS = 6  # per call of the extractor: nobody waits for the first event


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """What every worker of an archive needs; it can be pickled. place: of the results. Others as in `open_bundle`."""

    place: str
    bundle: str
    backend: str
    threads: int
    settings: Mapping[str, Any]
    hop_steps: int = 1
    engines: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One video to compute, and the name of its result."""

    key: str
    stamp: Stamp


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
            engines=settings.engines,
            settings=settings.settings,
        )

    def close(self) -> None:
        """Release the bundle."""
        self._bundle.close()

    def work(self, job: Job) -> Done | Unreadable:
        """Compute a video and write its result. Raises OutputError, BackendError."""
        begin = time.perf_counter()
        try:
            found, rate = self._collected(job.stamp.address)
        except SourceError as error:
            return Unreadable(str(error))
        result = self._result(job, found, rate, time.perf_counter() - begin)
        self._store.write(f"results/{job.key}.json", result_bytes(result))
        return Done(result.duration, result.incomplete, len(result.proposals))

    def _collected(self, address: str) -> tuple[Prediction, float | None]:
        """What is in a video, and its own frame rate."""
        bundle, hop = self._bundle, self._settings.hop_steps
        chunk = bundle.backend.chunk_frames or CHUNK_STEPS * bundle.grid.stride
        if bundle.manifest.features is not None:
            width = bundle.manifest.features.width
            with FeatureSource(address, rate=bundle.grid.fps, width=width) as rows:
                return collect(partial(bundle.feature_stream, chunk_rows=chunk, hop_steps=hop), rows), None
        with open_source(address) as frames:
            rate = frames.stream.average_rate if isinstance(frames, VideoSource) else None
            found = collect(partial(bundle.stream, chunk_frames=chunk, hop_steps=hop), frames)
            return found, float(rate) if rate else None

    def _result(self, job: Job, found: Prediction, rate: float | None, took: float) -> VideoResult:
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
            float(found.ending.seconds or 0),
            rate,
            found.ending.reason or "",
            round(took, 3),
            proposals,
        )


def setup_of(settings: WorkSettings) -> dict[str, object]:
    """What beside the video determines a result: the bundle's content and the settings that differ from its own.

    Raises BundleError, SettingsError.
    """
    folder = locate_bundle(settings.bundle)
    raw = read_manifest_file(folder)
    manifest = parse_manifest(raw, bundle=name_of(folder))
    tuning = tuned(manifest.proposals, manifest.tracking, settings.settings)
    return {"bundle": hashlib.sha256(raw).hexdigest(), "settings": tuning.values, "hop_steps": settings.hop_steps}
