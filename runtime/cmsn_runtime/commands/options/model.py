"""What `cmsn run` looks with: the bundle, the library that runs it, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmsn_runtime.commands.options.grouping import grouped
from cmsn_runtime.plugins import BACKENDS, plugin_names

if TYPE_CHECKING:
    from cmsn_runtime.bundle import Bundle
    from cmsn_runtime.sinks.places import Place
    from cmsn_runtime.streams.feature_stream import FeatureStream
    from cmsn_runtime.streams.stream import Stream

_FOLDER = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """bundle: its folder or name, none for the default. The rest as in `open_bundle` and `Bundle.stream`.

    site: a file of settings. settings: "NAME=VALUE" texts, which win over the file; min_score wins over both.
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
        """What is read. Raises BundleError where there is no such bundle."""
        from cmsn_runtime.bundle_files import locate_bundle
        from cmsn_runtime.sinks.places import Place

        options = [("--engines", self.engines), ("--site", self.site)]
        named = [Place(name, path) for name, path in options if path is not None]
        return [Place("the bundle", locate_bundle(self.bundle)), *named]

    def open(self) -> Bundle:
        """Open the bundle. Raises BundleError; a BackendWarning says that another backend took over."""
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
        """Opens a stream of pictures as chosen."""
        return partial(bundle.stream, chunk_frames=self.chunk_frames, hop_steps=self.hop_steps)

    def feature_stream(self, bundle: Bundle) -> partial[FeatureStream]:
        """Opens a stream of feature rows as chosen."""
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
        help="A setting in place of the bundle's, such as proposals.min_score=0.2; may be repeated.",
    ),
    click.option(
        "--site", metavar="FILE.toml", type=_FOLDER, help="Settings in tables [proposals] and [tracking]; --set wins."
    ),
    click.option(
        "--min-score", type=click.FloatRange(0, 1), help="Leave out proposals that score below: proposals.min_score."
    ),
    click.option(
        "--backend",
        type=click.Choice(["auto", *plugin_names(BACKENDS)]),
        default="auto",
        show_default=True,
        help="What runs the networks; auto: engines of `cmsn build`, else ONNX Runtime on the GPU, else on the CPU.",
    ),
    click.option(
        "--engines", metavar="DIR", type=_FOLDER, help="TensorRT engines to use; those of your own builds by default."
    ),
    click.option(
        "--allow-engine-code", is_flag=True, help="Load version compatible engines, which bring code of their own."
    ),
    click.option(
        "--threads", type=click.IntRange(1), help="Threads of each network on the CPU; what suits it by default."
    ),
    click.option("--chunk-frames", type=click.IntRange(1), help="Frames run at once: more is faster, and later."),
    click.option(
        "--hop-steps",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Look again every so many steps; half the window is the paper's schedule.",
    ),
)
