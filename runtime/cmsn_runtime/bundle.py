"""An opened bundle: a model that is ready to run, and its streams."""

from __future__ import annotations

import hashlib
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_runtime.backends.base import Backend
from cmsn_runtime.backends.opening import open_backend
from cmsn_runtime.backends.registry import AUTO, Networks
from cmsn_runtime.bundle_files import locate_bundle, name_of, read_graph, read_manifest_file
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError, BundleError, SettingsError
from cmsn_runtime.events import StageStep
from cmsn_runtime.manifest.contents import Manifest
from cmsn_runtime.manifest.reading import parse_manifest
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.site import Tuning, tuned
from cmsn_runtime.timegrid import TimeGrid

if TYPE_CHECKING:
    from cmsn_runtime.streams.feature_stream import FeatureStream
    from cmsn_runtime.streams.stream import Stream, StreamSettings


class Bundle(Closing):
    """An opened bundle: its manifest, and the backend that all its streams share.

    tuning: the settings of its streams, those of the manifest unless some were changed on site. sha256: of the bytes of
    its manifest, which hold those of its graphs; empty where it was not opened from a file. backend_name,
    why: see Opened; empty where the backend was created by hand.
    Close it when its streams are done, or use it in a `with` block.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        backend: Backend,
        *,
        tuning: Tuning | None = None,
        sha256: str = "",
        backend_name: str = "",
        why: str = "",
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.backend = backend
        self.sha256 = sha256
        self.backend_name = backend_name
        self.why = why
        self.tuning = tuning or tuned(manifest.proposals, manifest.tracking, {})
        self._warming = threading.Lock()
        self._warm = False

    def __repr__(self) -> str:
        changed = f", {self.tuning}" if self.tuning.changed else ""
        return f"Bundle({self.path.name}, {self.backend.name}{changed})"

    def close(self) -> None:
        """Release the backend."""
        self.backend.close()

    @property
    def networks(self) -> str:
        """What runs the networks, and why that, in words."""
        return f"{self.backend.name} ({self.why})" if self.why else self.backend.name

    @property
    def grid(self) -> TimeGrid:
        """The frame rate, stride and window of the model."""
        return self.manifest.grid

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared. Raises SettingsError where the model takes feature rows."""
        if self.manifest.preprocessing is None:
            raise SettingsError(f"{self.path.name} takes feature rows, not pictures; open a feature_stream()")
        return self.manifest.preprocessing

    @property
    def takes_features(self) -> bool:
        """Whether it takes rows of numbers (`feature_stream`) instead of pictures (`stream`)."""
        return self.manifest.features is not None

    def stream(
        self,
        *,
        on_step: Callable[[StageStep], None] | None = None,
        chunk_frames: int | None = None,
        hop_steps: int = 1,
        min_score: float | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Stream:
        """A new stream, for one camera or one video. The first one of a bundle compiles what streams need.

        on_step: see Stream. chunk_frames: see StreamingExtractor. hop_steps: steps
        between two runs of the stage network. min_score: lower proposals are dropped; by default the bundle's setting.
        settings: those that differ for this camera, by dotted name; see site.tuned. Raises SettingsError.
        """
        # Imported here: numba is slow to import, and `inspect` does not need it.
        from cmsn_runtime.streams.stream import Stream

        own = self.stream_settings(
            chunk_frames=chunk_frames, hop_steps=hop_steps, min_score=min_score, settings=settings
        )
        stream = Stream(self.backend, own, on_step=on_step)
        self._warm_up()
        return stream

    def stream_settings(
        self,
        *,
        chunk_frames: int | None = None,
        hop_steps: int = 1,
        min_score: float | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> StreamSettings:
        """Those of `stream`, for what drives streams of its own. Raises SettingsError."""
        from cmsn_runtime.streams.stream import StreamSettings

        network = self.manifest.network
        tuning = tuned(self.manifest.proposals, self.manifest.tracking, {**self.tuning.values, **(settings or {})})
        return StreamSettings(
            grid=self.manifest.grid,
            preprocessing=self.preprocessing,
            delay_steps=network.delay_steps,
            receptive_field_frames=network.receptive_field_frames,
            model=self.manifest.name,
            model_sha256=self.sha256,
            proposals=_with_minimum(tuning.proposals, min_score),
            tracking=tuning.tracking,
            chunk_frames=chunk_frames,
            hop_steps=hop_steps,
        )

    def feature_stream(
        self,
        *,
        on_step: Callable[[StageStep], None] | None = None,
        chunk_rows: int | None = None,
        hop_steps: int = 1,
        min_score: float | None = None,
    ) -> FeatureStream:
        """A new stream of feature rows; options as in `stream`. Raises SettingsError where the model takes pictures."""
        from cmsn_runtime.streams.feature_stream import FeatureStream, FeatureStreamSettings

        if self.manifest.features is None:
            raise SettingsError(f"{self.path.name} takes pictures, not feature rows; open a stream()")
        settings = FeatureStreamSettings(
            grid=self.manifest.grid,
            width=self.manifest.features.width,
            delay_steps=self.manifest.network.delay_steps,
            proposals=_with_minimum(self.tuning.proposals, min_score),
            tracking=self.tuning.tracking,
            chunk_frames=chunk_rows,
            hop_steps=hop_steps,
        )
        stream = FeatureStream(self.backend, settings, on_step=on_step)
        self._warm_up()
        return stream

    def _warm_up(self) -> None:
        """Compile and load, once, what every stream needs."""
        from cmsn_runtime.streams.warming import warm_up

        with self._warming:
            if not self._warm:
                shape, bins = self.manifest.input_shape, self.manifest.proposals.roi_bins
                warm_up(self.backend, self.grid, input_shape=shape, roi_bins=bins)
            self._warm = True


def open_bundle(
    path: str | Path | None = None,
    *,
    backend: str = AUTO,
    threads: int | None = None,
    largest_batch: int | None = None,
    engines: Path | None = None,
    engine_code: bool = False,
    settings: Mapping[str, object] | None = None,
) -> Bundle:
    """Open a bundle folder, or one that comes with the package by its name ("demo", "cctv"); by default the demo.

    Every file is read once, and the bytes that were checked (size and SHA-256) are the bytes that run.
    backend: see backends.opening.open_backend. threads, largest_batch: see Networks. engines: folder of the TensorRT
    engines to use; by default those that this user has built, which are in the user's cache. engine_code: whether
    engines may contain their own code, see open_engines. settings: those that differ on site, by dotted name, such as
    {"proposals.min_score": 0.2}; see site.tuned.
    Raises BundleError where the bundle is unknown, damaged, no bundle, or has graphs that cannot run, SettingsError for
    an unknown backend, no threads or a setting outside its range, MissingExtraError where the library of the backend is
    not installed.
    """
    folder = locate_bundle(path)
    raw = read_manifest_file(folder)
    manifest = parse_manifest(raw, bundle=name_of(folder))
    tuning = tuned(manifest.proposals, manifest.tracking, settings or {})  # first: opening a backend takes seconds
    networks = Networks(
        manifest=manifest,
        read=partial(read_graph, folder),
        engines=engines,
        bundle_engines=folder / "engines",
        build_command=_build_command(path, engines),
        threads=threads,
        largest_batch=largest_batch,
        engine_code=engine_code,
    )
    try:
        sha256 = hashlib.sha256(raw).hexdigest()
        opened = open_backend(backend, networks)
        return Bundle(
            folder,
            manifest,
            opened.backend,
            tuning=tuning,
            sha256=sha256,
            backend_name=opened.name,
            why=opened.why,
        )
    except BackendError as error:
        raise BundleError(f"{name_of(folder)}: {error}") from error


def _build_command(path: str | Path | None, engines: Path | None) -> str:
    """The command that builds engines where `open_bundle` looks for them."""
    return shlex.join(["cmsn", "build", str(path or "demo"), *(["--engines", str(engines)] if engines else [])])


def _with_minimum(proposals: ProposalSettings, min_score: float | None) -> ProposalSettings:
    return proposals if min_score is None else replace(proposals, min_score=min_score)
