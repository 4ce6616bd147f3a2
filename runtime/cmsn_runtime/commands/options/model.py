"""The model of `cmsn run`: the bundle, the library that runs it, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmsn_runtime.commands.options.backend import BACKEND_NAMES, checked_backend
from cmsn_runtime.commands.options.grouping import grouped

if TYPE_CHECKING:
    from cmsn_runtime.bundle import Bundle
    from cmsn_runtime.sinks.places import Place
    from cmsn_runtime.streams.feature_stream import FeatureStream
    from cmsn_runtime.streams.stream import Stream

_FOLDER = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The chosen model. bundle: folder or name, None for the default. Others as in `open_bundle` and `Bundle.stream`.

    site: a file of settings. settings: "NAME=VALUE" texts, which override the file; min_score overrides both.
    """

    bundle: Path | None
    backend: str
    threads: int | None
    engines: Path | None
    allow_engine_code: bool
    chunk_frames: int | None
    hop_steps: int
    min_score: float | None
    site: Path | None
    settings: tuple[str, ...]

    def places(self) -> list[Place]:
        """Paths that are read. Raises BundleError where the bundle does not exist."""
        from cmsn_runtime.bundle_files import locate_bundle
        from cmsn_runtime.sinks.places import Place

        options = [("--engines", self.engines), ("--site", self.site)]
        named = [Place(name, path) for name, path in options if path is not None]
        return [Place("the bundle", locate_bundle(self.bundle)), *named]

    def open(self) -> Bundle:
        """Open the bundle. Raises BundleError; a BackendWarning reports that another backend is used."""
        from cmsn_runtime.bundle import open_bundle

        return open_bundle(
            self.bundle,
            backend=self.backend,
            threads=self.threads,
            engines=self.engines,
            engine_code=self.allow_engine_code,
            settings=self._settings(),
        )

    def stream(self, bundle: Bundle) -> partial[Stream]:
        """A function that opens a stream of pictures with these options."""
        return partial(bundle.stream, chunk_frames=self.chunk_frames, hop_steps=self.hop_steps)

    def feature_stream(self, bundle: Bundle) -> partial[FeatureStream]:
        """A function that opens a stream of feature rows with these options."""
        return partial(bundle.feature_stream, chunk_rows=self.chunk_frames, hop_steps=self.hop_steps)

    def _settings(self) -> dict[str, object]:
        from cmsn_runtime.site import site_settings

        settings = site_settings(self.site, self.settings)
        return settings if self.min_score is None else {**settings, "proposals.min_score": self.min_score}


model_options = grouped(
    "model",
    ModelChoice,
    click.option(
        "--bundle",
        metavar="NAME.cmsn",
        type=_FOLDER,
        help="The model: a folder, or `demo` or `cctv`, which come with cmsn.",
    ),
    click.option(
        "--set",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        help="Override a setting of the bundle, such as proposals.min_score=0.2; may be repeated.",
    ),
    click.option(
        "--site", metavar="FILE.toml", type=_FOLDER, help="Tables [proposals] and [tracking]; overridden by --set."
    ),
    click.option(
        "--min-score", type=click.FloatRange(0, 1), help="Drop proposals that score below: proposals.min_score."
    ),
    click.option(
        "--backend",
        metavar=BACKEND_NAMES,
        callback=checked_backend,
        default="auto",
        show_default=True,
        help="What runs the networks; auto: engines of `cmsn build`, otherwise ONNX Runtime on GPU or CPU.",
    ),
    click.option(
        "--engines", metavar="DIR", type=_FOLDER, help="TensorRT engines to use; by default those that you built."
    ),
    click.option(
        "--allow-engine-code", is_flag=True, help="Load version-compatible engines, which contain code of their own."
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads per network on the CPU; by default what suits it."),
    click.option("--chunk-frames", type=click.IntRange(1), help="Frames per run: more is faster, but delays results."),
    click.option(
        "--hop-steps",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Steps between two runs of the stage network; half the window is the paper's schedule.",
    ),
)
