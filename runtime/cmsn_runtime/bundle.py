"""A bundle: a folder with a model that runs as it stands, checked before any of it is believed."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cmsn_runtime.backends.base import Backend
from cmsn_runtime.backends.opening import open_backend
from cmsn_runtime.backends.registry import AUTO, Networks
from cmsn_runtime.backends.tensorrt.engine_files import ENGINE_FOLDER
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError, BundleError, SettingsError
from cmsn_runtime.events import StageStep
from cmsn_runtime.manifest.contents import MANIFEST_FILE, GraphFile, Manifest
from cmsn_runtime.manifest.reading import parse_manifest, refusal
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.site import Tuning, tuned
from cmsn_runtime.timegrid import TimeGrid

if TYPE_CHECKING:
    from cmsn_runtime.streams.feature_stream import FeatureStream
    from cmsn_runtime.streams.stream import Stream

_SHIPPED = Path(__file__).parent / "bundles"
DEMO_BUNDLE = _SHIPPED / "demo.cmsn"

_MANIFEST_LIMIT = 4 * 2**20  # bytes; what is longer is no manifest, and is not read into memory to find out
# Extra flags of os.open that not all systems have: a link is not followed, a named pipe does not hang.
_OPEN_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Bundle(Closing):
    """An opened bundle: its manifest, and the backend that all its streams share.

    tuning: the settings its streams run with, those of the manifest unless some were changed on site.
    Close it, or use it in a `with` block, when its streams are done.
    """

    def __init__(self, path: Path, manifest: Manifest, backend: Backend, *, tuning: Tuning | None = None) -> None:
        self.path = path
        self.manifest = manifest
        self.backend = backend
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
    def grid(self) -> TimeGrid:
        """The frame rate, stride and window of the model."""
        return self.manifest.grid

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to pictures. Raises SettingsError where the model takes feature rows."""
        if self.manifest.preprocessing is None:
            raise SettingsError(f"{self.path.name} takes feature rows, not pictures; open a feature_stream()")
        return self.manifest.preprocessing

    @property
    def takes_features(self) -> bool:
        """Whether it takes rows of numbers (`feature_stream`) in place of pictures (`stream`)."""
        return self.manifest.features is not None

    def stream(
        self,
        *,
        on_step: Callable[[StageStep], None] | None = None,
        chunk_frames: int | None = None,
        hop_steps: int = 1,
        min_score: float | None = None,
    ) -> Stream:
        """A new stream, for one camera or one video. The first one of a bundle compiles what streams need.

        on_step: see Stream. chunk_frames: see StreamingExtractor. hop_steps: the stage network looks again every so
        many steps. min_score: proposals below it are dropped; what the bundle was opened with by default.
        Raises SettingsError.
        """
        # Here: numba is slow to import, and inspect needs none.
        from cmsn_runtime.streams.stream import Stream, StreamSettings

        network = self.manifest.network
        settings = StreamSettings(
            grid=self.manifest.grid,
            preprocessing=self.preprocessing,
            delay_steps=network.delay_steps,
            receptive_field_frames=network.receptive_field_frames,
            proposals=self._proposals(min_score),
            tracking=self.tuning.tracking,
            chunk_frames=chunk_frames,
            hop_steps=hop_steps,
        )
        stream = Stream(self.backend, settings, on_step=on_step)
        self._warm_up()
        return stream

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
            proposals=self._proposals(min_score),
            tracking=self.tuning.tracking,
            chunk_frames=chunk_rows,
            hop_steps=hop_steps,
        )
        stream = FeatureStream(self.backend, settings, on_step=on_step)
        self._warm_up()
        return stream

    def _warm_up(self) -> None:
        """Once: what a first stream compiles and loads, all others have."""
        from cmsn_runtime.streams.warming import warm_up

        with self._warming:
            if not self._warm:
                shape, bins = self.manifest.input_shape, self.manifest.proposals.roi_bins
                warm_up(self.backend, self.grid, input_shape=shape, roi_bins=bins)
            self._warm = True

    def _proposals(self, min_score: float | None) -> ProposalSettings:
        own = self.tuning.proposals
        return own if min_score is None else replace(own, min_score=min_score)


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
    engines may bring code of their own, see open_engines. settings: what differs on site, by dotted name, such as
    {"proposals.min_score": 0.2}; see site.tuned.
    Raises BundleError where the bundle is damaged, unknown, not one, or holds graphs that cannot run, SettingsError for
    an unknown backend, no threads or a setting outside what is allowed, MissingExtraError where the library of the
    backend is not installed.
    """
    folder = locate_bundle(path)
    manifest = read_manifest(folder)
    tuning = tuned(manifest.proposals, manifest.tracking, settings or {})  # before the seconds that a backend takes
    networks = Networks(
        manifest=manifest,
        read=partial(read_graph, folder),
        engines=engines,
        bundle_engines=folder / ENGINE_FOLDER,
        build_command=_build_command(path, engines),
        threads=threads,
        largest_batch=largest_batch,
        engine_code=engine_code,
    )
    try:
        return Bundle(folder, manifest, open_backend(backend, networks), tuning=tuning)
    except BackendError as error:
        raise BundleError(f"{_name(folder)}: {error}") from error


def locate_bundle(path: str | Path | None) -> Path:
    """The folder of a bundle; none is the demo. A bundle on disk comes before a shipped one of that name, but a folder
    that only happens to be called so does not: `make demo` leaves one called demo.
    """
    if path is None:
        return DEMO_BUNDLE
    shipped = _SHIPPED / f"{path}.cmsn"
    plain = Path(path).name == str(path)
    return shipped if plain and not (Path(path) / MANIFEST_FILE).exists() and shipped.is_dir() else Path(path)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle folder, without opening its graphs. Raises BundleError."""
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise refusal(
            _name(folder),
            f"{folder} {found}",
            "a bundle is a folder NAME.cmsn with a manifest.json",
            "check the path, or write one with `cmsn export`",
        )
    with _opened(folder, MANIFEST_FILE) as file:
        raw = file.read(_MANIFEST_LIMIT + 1)
    if len(raw) > _MANIFEST_LIMIT:
        raise refusal(
            _name(folder),
            f"{MANIFEST_FILE} is longer than {_MANIFEST_LIMIT} bytes",
            "a manifest is shorter",
            "get a fresh copy of the bundle",
        )
    return parse_manifest(raw, bundle=_name(folder))


def read_graph(folder: Path, graph: GraphFile) -> bytes:
    """The bytes of one graph, once their size and hash are what the manifest says. Raises BundleError."""
    with _opened(folder, graph.file) as file:
        size = os.fstat(file.fileno()).st_size
        raw = file.read(graph.bytes + 1)
    if len(raw) != graph.bytes:
        raise refusal(
            _name(folder),
            f"{graph.file} has {size} bytes",
            f"{graph.bytes} were exported",
            "it is incomplete or another file, get a fresh copy of the bundle",
        )
    found = hashlib.sha256(raw).hexdigest()
    if found != graph.sha256:
        raise refusal(
            _name(folder),
            f"{graph.file} has the SHA-256 {found[:12]}...",
            f"{graph.sha256[:12]}... was exported",
            "it is damaged or another file, get a fresh copy of the bundle",
        )
    # ONNX names files outside of it under this key and no other, and ONNX Runtime would look for them in the
    # working directory. No graph of ours has the word, so there is no need to parse.
    if b"location" in raw:
        raise refusal(
            _name(folder),
            f"{graph.file} refers to data outside of it",
            "a graph must be a single file",
            "get the bundle from someone you trust, or export the model again",
        )
    return raw


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """A regular file of the folder, itself and not what a link there leads to; `name` is plain."""
    try:
        with open(folder / name, "rb", opener=lambda path, flags: os.open(path, flags | _OPEN_FLAGS)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError("not a regular file")
            yield file
    except OSError as error:
        found = "is a link" if (folder / name).is_symlink() else f"cannot be read ({error.strerror or error})"
        raise refusal(
            _name(folder),
            f"{name} {found}",
            "a bundle's files must lie in the folder itself",
            "get a fresh copy of the bundle",
        ) from error


def _build_command(path: str | Path | None, engines: Path | None) -> str:
    """What a user types to get engines where `open_bundle` looks for them."""
    return " ".join(["cmsn build", str(path or "demo"), *(["--engines", str(engines)] if engines else [])])


def _name(folder: Path) -> str:
    """What a bundle is called in messages; "." and "/" have no name of their own."""
    return folder.name or str(folder)
