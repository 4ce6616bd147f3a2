"""The sources of `cmsn run`, and how they are read."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from cmsn_runtime.commands.options.grouping import grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmsn_runtime.live.settings import CameraSettings
    from cmsn_runtime.sources.base import Source
    from cmsn_runtime.sources.features import FeatureSource
    from cmsn_runtime.sources.options import SourceOptions


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """The sources of a run. addresses: files, URLs, cameras. live: files are played as cameras, at their own speed.

    Others as in SourceOptions.
    """

    addresses: tuple[str, ...]
    fps: Fraction | None = None
    demuxer: tuple[tuple[str, str], ...] = ()
    video_stream: int | None = None
    begin: Fraction | None = None
    length: Fraction | None = None
    live: bool = False

    @staticmethod
    def name_of(address: str) -> str:
        """An address that is safe to show: without user name, password and query."""
        from cmsn_runtime.sources.addresses import public_name

        return public_name(address)

    def options(self) -> SourceOptions:
        """Options for reading videos. Raises SettingsError."""
        from cmsn_runtime.sources.options import SourceOptions

        return SourceOptions(
            fps=self.fps,
            demuxer=dict(self.demuxer),
            video_stream=self.video_stream,
            begin=self.begin,
            length=self.length,
        )

    def are_cameras(self, *, features: bool) -> bool:
        """Whether the sources run at the same time, as cameras do. Raises SettingsError for conflicting options.

        features: the sources are files of feature rows.
        """
        from cmsn_runtime.errors import SettingsError
        from cmsn_runtime.sources.order import are_cameras

        self.options()
        if not features:
            return self.live or are_cameras(self.addresses)
        if self != SourceChoice(self.addresses):
            raise SettingsError(
                "--fps, --option, --video-stream, --from, --for and --live are for videos; this model takes rows of "
                "features"
            )
        return False

    def cameras(self, addresses: Sequence[str] = (), *, paced: bool | None = None) -> list[CameraSettings]:
        """The settings of sources that run as cameras, each by a name of its own. Raises SettingsError.

        addresses: of these; by default all. paced: whether they are files; by default what their addresses show.
        """
        from cmsn_runtime.live.settings import CameraSettings
        from cmsn_runtime.secrets import Address
        from cmsn_runtime.sources.order import has_no_end

        found: list[CameraSettings] = []
        for address in addresses or self.addresses:
            name = self.name_of(address)
            same = sum(camera.name.partition(" ")[0] == name for camera in found)
            found.append(
                CameraSettings(
                    name=f"{name} ({same + 1})" if same else name,
                    address=Address(address),
                    options=self.options(),
                    paced=not has_no_end(address) if paced is None else paced,
                )
            )
        return found

    def open_video(self, address: str) -> AbstractContextManager[Source]:
        """Open one of them as pictures. Raises SourceError."""
        from cmsn_runtime.sources.opening import open_source

        return open_source(address, options=self.options())

    def open_features(self, address: str, *, rate: Fraction, width: int) -> FeatureSource:
        """Open one of them as rows of `width` features, `rate` per second. Raises SourceError and MissingExtraError."""
        from cmsn_runtime.sources.features import FeatureSource

        return FeatureSource(address, rate=rate, width=width)


def _exact(ctx: click.Context, param: click.Parameter, value: str | None) -> Fraction | None:
    """An exact number: 29.97, 30000/1001, 12."""
    try:
        return None if value is None else Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(f"{value!r} is not a number such as 25, 29.97 or 30000/1001") from None


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """KEY=VALUE, any number of them."""
    parts = [value.partition("=") for value in values]
    bad = next((key + mark for key, mark, _ in parts if not (key and mark)), None)
    if bad is not None:  # the value is not repeated: it may be a password
        raise click.BadParameter(f"{bad!r} is not KEY=VALUE, such as rtsp_transport=udp")
    return tuple((key, value) for key, _, value in parts)


source_options = grouped(
    "sources",
    SourceChoice,
    click.argument("addresses", metavar="SOURCE...", nargs=-1, required=True),
    click.option("--from", "begin", metavar="SECONDS", callback=_exact, help="Begin there, on the source's own clock."),
    click.option("--for", "length", metavar="SECONDS", callback=_exact, help="End each source after this time."),
    click.option("--live", is_flag=True, help="Play files as cameras: at their own speed, all at the same time."),
    click.option(
        "--fps",
        metavar="RATE",
        callback=_exact,
        help="Frame n is at n / RATE: for sources without timestamps, or with wrong ones.",
    ),
    click.option("--video-stream", metavar="N", type=click.IntRange(0), help="Number, from 0; covers do not count."),
    click.option(
        "--option",
        "demuxer",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_pairs,
        help="Option of FFmpeg's demuxer or protocol, such as rtsp_transport=udp; may be repeated.",
    ),
)
