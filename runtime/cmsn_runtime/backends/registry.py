"""Backends by name: the entry points "cmsn.backends"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.manifest.contents import GraphFile, Manifest
from cmsn_runtime.plugins import BACKENDS, find_plugin, plugin_names

AUTO = "auto"  # in place of a name: the best that works here


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What a backend is made from: a bundle's manifest, its graphs as they are read, and where its engines are.

    engines: the folder of the engines to use; None for those that this user has built. bundle_engines: the folder in
    the bundle itself, whose engines are used only where `engines` names it.
    build_command: what builds engines, for messages. engine_code: see tensorrt.opening.open_engines.
    threads: of each network run on the CPU; None for what suits the network. largest_batch: cameras at once; None for
    what the backend gains by.
    """

    manifest: Manifest
    read: Callable[[GraphFile], bytes]
    engines: Path | None
    bundle_engines: Path
    build_command: str
    engine_code: bool = False
    threads: int | None = None
    largest_batch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendKind:
    """What an entry point of "cmsn.backends" names.

    open: raises MissingExtraError and BackendError where the library is missing or refuses the networks.
    is_there: whether it is worth a try on this machine, without loading what is slow to load.
    rank: the order in which `auto` tries kinds, the lowest first; None for one that is only ever asked for by name.
    """

    open: Callable[[Networks], GraphBackend]
    is_there: Callable[[Networks], bool]
    rank: int | None = None


def backend_names() -> list[str]:
    """Every kind that is installed."""
    return plugin_names(BACKENDS)


def find_backend(name: str) -> BackendKind:
    """The kind of that name. Raises SettingsError where there is none, or it cannot be imported."""
    return find_plugin(BACKENDS, name, BackendKind, what="the backend", also=AUTO)
