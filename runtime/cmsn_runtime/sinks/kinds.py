"""Kinds of outputs by name: the entry points "cmsn.sinks", one per kind, so that a new one is a file and a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.identity import LOCAL_SITE
from cmsn_runtime.plugins import SINKS, find_plugin
from cmsn_runtime.reporting import report
from cmsn_runtime.sinks.base import EventChoice, Sink


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink may need to know about its run.

    step_seconds: length of a feature step. sources: as the user gave them. truth: annotations of videos, if known.
    events: which ones sinks that report while an action is going on should take. settings: those of the bundle that
    were changed on site, by dotted name. site: name of the place whose cameras these are. folder, site_folder: where
    relative paths of what a sink writes begin, and of what it reads. live: sources have no end, so a file that exists
    is continued, not replaced.
    name: of this output, NAME of `[outputs.NAME]`; empty on the command line. report: gets a line on what a sink did
    not fail for, such as an outage. networks: what runs them, in words.
    """

    step_seconds: Fraction
    sources: Sequence[str] = ()
    truth: Mapping[str, VideoAnnotations] | None = field(default=None, repr=False)
    events: EventChoice = "all"
    settings: Mapping[str, object] = field(default_factory=dict)
    site: str = LOCAL_SITE
    folder: Path = Path()
    site_folder: Path = Path()
    live: bool = False
    name: str = ""
    networks: str = ""
    report: Callable[[str], None] = field(default=partial(report, kind="warning"), repr=False)


def _no_paths(value: str, sources: Sequence[str]) -> list[Path]:
    return []


def one_path(value: str, sources: Sequence[str]) -> list[Path]:
    """For a kind whose value is the path of its only file, or "-" for standard output."""
    return [Path(value)]


@dataclass(frozen=True, slots=True)
class SinkKind:
    """What an entry point of "cmsn.sinks" names.

    open: from the value that `--sink NAME=VALUE` gives to the sink. Raises SettingsError where the value will not do.
    paths: the files it will write for these sources, which are compared with each other and with every input, and
    tried, before anything is read.
    open_table: from the table `[outputs.NAME]` of a site file, less its `kind`; None where it cannot be used in one.
        Structure it with structuring.structure into a frozen dataclass; passwords in it are of the type secrets.Secret.
        Raises SettingsError.
    check_table: structures such a table without opening anything, for `cmsn serve --check`. Raises SettingsError.
    """

    open: Callable[[str, SinkContext], Sink]
    paths: Callable[[str, Sequence[str]], list[Path]] = _no_paths
    open_table: Callable[[Mapping[str, object], SinkContext], Sink] | None = None
    check_table: Callable[[Mapping[str, object], SinkContext], object] | None = None


def find_sink(name: str) -> SinkKind:
    """The kind of that name. Raises SettingsError where none exists, or it cannot be imported."""
    return find_plugin(SINKS, name, SinkKind, what="the output")
