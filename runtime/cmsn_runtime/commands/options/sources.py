"""What `cmsn run` reads."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from cmsn_runtime.commands.options.grouping import grouped

if TYPE_CHECKING:
    from cmsn_runtime.sources.base import Source
    from cmsn_runtime.sources.features import FeatureSource


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """addresses: files, URLs, cameras; one is run after the other."""

    addresses: tuple[str, ...]

    @staticmethod
    def name_of(address: str) -> str:
        """An address fit to be shown: without user name, password and query."""
        from cmsn_runtime.sources.addresses import public_name

        return public_name(address)

    def open_video(self, address: str) -> AbstractContextManager[Source]:
        """Open one of them as pictures. Raises SourceError."""
        from cmsn_runtime.sources.opening import open_source

        return open_source(address)

    def open_features(self, address: str, *, rate: Fraction, width: int) -> FeatureSource:
        """Open one of them as rows of `width` features, `rate` per second. Raises SourceError and MissingExtraError."""
        from cmsn_runtime.sources.features import FeatureSource

        return FeatureSource(address, rate=rate, width=width)


source_options = grouped(
    "sources",
    SourceChoice,
    click.argument("addresses", metavar="SOURCE...", nargs=-1, required=True),
)
