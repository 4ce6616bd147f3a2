"""The tables of a site file as they are written, and the result of reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from cmsn_runtime.checking import require
from cmsn_runtime.live.settings import CameraSettings, FleetSettings
from cmsn_runtime.secrets import Address, Secret
from cmsn_runtime.serving.settings import WebSettings

Table = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTable:
    """Table [site]: its name, by default the host's, and the model as in `open_bundle`."""

    name: str | None = None
    bundle: str | None = None
    backend: str = "auto"
    threads: int | None = None
    largest_batch: int | None = None
    engines: str | None = None
    allow_engine_code: bool = False

    def __post_init__(self) -> None:
        for name in ("threads", "largest_batch"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTable:
    """Table [cameras.NAME]. url or url_file: where it is; user, password, password_file: its login.

    options: of FFmpeg's demuxers and protocols. fps, video_stream: as in SourceOptions. paced: a file, which is played
    at its own speed; by default whatever is the path of a file. proposals, tracking, capture: as the site's tables of
    these names, for this camera alone.
    """

    url: Address | None = None
    url_file: str | None = None
    user: str | None = None
    password: Secret | None = None
    password_file: str | None = None
    options: dict[str, Secret] = field(default_factory=dict)
    fps: Fraction | None = None
    video_stream: int | None = None
    enabled: bool = True
    paced: bool | None = None
    proposals: dict[str, Any] = field(default_factory=dict)
    tracking: dict[str, Any] = field(default_factory=dict)
    capture: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTables:
    """The whole file. Tables of cameras and outputs stay as they are: each is read by itself.

    web: None where the file has no table [web], so that there is no page.
    """

    site: ModelTable = field(default_factory=ModelTable)
    scheduler: FleetSettings = field(default_factory=FleetSettings)
    proposals: dict[str, Any] = field(default_factory=dict)
    tracking: dict[str, Any] = field(default_factory=dict)
    capture: dict[str, Any] = field(default_factory=dict)
    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    web: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a site file asks for.

    state: folder of spools, clips and relative paths of outputs. settings: of all streams, by dotted name. cameras:
    those that are enabled, with these settings among their own; disabled: names of the others. outputs: their tables by
    name, each with its `kind`. web: None for no page.
    """

    path: Path
    name: str
    state: Path
    model: ModelTable
    scheduler: FleetSettings
    settings: Table
    cameras: Mapping[str, CameraSettings]
    disabled: tuple[str, ...]
    outputs: Mapping[str, Table]
    web: WebSettings | None

    @property
    def folder(self) -> Path:
        """Where relative paths of models, files and passwords begin."""
        return self.path.parent.absolute()
