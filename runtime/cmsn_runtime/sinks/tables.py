"""Tables of a site file for outputs that write one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.checking import require
from cmsn_runtime.sinks.base import EventChoice
from cmsn_runtime.sinks.kinds import SinkContext
from cmsn_runtime.structuring import structure


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable:
    """path: of the file, which is continued where it exists; a relative one begins in the site's state folder.

    "-" is standard output.
    """

    path: str

    def __post_init__(self) -> None:
        require(bool(self.path), "path", self.path, "the path of a file")

    def within(self, context: SinkContext) -> Path:
        """The path to be written."""
        return Path(self.path) if self.path == "-" else context.folder / Path(self.path).expanduser()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsFileTable(FileTable):
    """events: `final` omits those that may still change."""

    events: EventChoice = "all"


def file_table(table: Mapping[str, object], context: SinkContext) -> FileTable:
    """Raises SettingsError."""
    return structure(table, FileTable, private=True)


def events_file_table(table: Mapping[str, object], context: SinkContext) -> EventsFileTable:
    """Raises SettingsError."""
    return structure(table, EventsFileTable, private=True)
