"""Kinds of outputs that deliver to a receiver on the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from cmsn_runtime.extras import require_library
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind

Settings = TypeVar("Settings")


def delivering_kind(
    make: Callable[[Settings, SinkContext], Sink],
    *,
    of_address: Callable[[str, SinkContext], Settings],
    of_table: Callable[[Mapping[str, object], SinkContext], Settings],
    module: str,
    package: str,
    feature: str,
) -> SinkKind:
    """make: the output, by its settings. of_address, of_table: these settings, from what the user gives.

    module, package: without which there is no such `feature`; it is part of the extra [live].
    """

    def usable(settings: Settings) -> Settings:
        require_library(module, package=package, extra="live", purpose=feature)
        return settings

    return SinkKind(
        open=lambda address, context: make(usable(of_address(address, context)), context),
        open_table=lambda table, context: make(usable(of_table(table, context)), context),
        check_table=lambda table, context: usable(of_table(table, context)),
    )
