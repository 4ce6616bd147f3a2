"""Opens the outputs of a site file, each behind a thread of its own."""

from __future__ import annotations

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.plugins import SINKS, plugin_names
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind, find_sink
from cmsn_runtime.sinks.threaded import ThreadedSink
from cmsn_runtime.sites.places import within
from cmsn_runtime.sites.tables import Site, Table
from cmsn_runtime.timegrid import TimeGrid


def open_output(name: str, table: Table, context: SinkContext) -> Sink:
    """Open one output. Raises CmsnError that names it."""
    with within(f"outputs.{name}:"):
        kind = _kind(table)
        assert kind.open_table is not None
        return ThreadedSink(kind.open_table(_own(table), context))


def check_output(name: str, table: Table, context: SinkContext) -> None:
    """Raise what `open_output` would for this table, without opening anything."""
    with within(f"outputs.{name}:"):
        kind = _kind(table)
        if kind.check_table is not None:
            kind.check_table(_own(table), context)


def context_of(name: str, site: Site, grid: TimeGrid) -> SinkContext:
    """What an output of that name needs to know of its site."""
    return SinkContext(
        grid.step_seconds,
        sources=tuple(site.cameras),
        settings=site.settings,
        site=site.name,
        folder=site.state,
        site_folder=site.folder,
        live=True,
        name=name,
    )


def _kind(table: Table) -> SinkKind:
    name = table["kind"]
    if not isinstance(name, str):
        raise SettingsError('kind must be text, such as "json"')
    if name in plugin_names(SINKS) and (kind := find_sink(name)).open_table is not None:
        return kind
    usable = ", ".join(each for each in plugin_names(SINKS) if find_sink(each).open_table is not None)
    raise SettingsError(
        f"kind is {name!r}; in a site file it must be one of {usable} (if one is missing, install cmsn again)"
    )


def _own(table: Table) -> Table:
    return {key: value for key, value in table.items() if key != "kind"}
