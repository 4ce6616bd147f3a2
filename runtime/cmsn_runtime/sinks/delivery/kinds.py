"""Kinds of outputs that deliver to a receiver on the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind

Settings = TypeVar("Settings")


def delivering_kind(
    make: Callable[[Settings, SinkContext], Sink],
    *,
    of_address: Callable[[str, SinkContext], Settings],
    of_table: Callable[[Mapping[str, object], SinkContext], Settings],
    package: str,
    feature: str,
) -> SinkKind:
    """make: the output, by its settings. of_address, of_table: these settings, from what the user gives.

    package: without which there is no such `feature`; it is part of the extra [live].
    """

    def opened(settings: Settings, context: SinkContext) -> Sink:
        try:
            return make(settings, context)
        except ModuleNotFoundError as error:
            raise MissingExtraError(package, "live", feature) from error

    return SinkKind(
        open=lambda address, context: opened(of_address(address, context), context),
        open_table=lambda table, context: opened(of_table(table, context), context),
        check_table=of_table,
    )
