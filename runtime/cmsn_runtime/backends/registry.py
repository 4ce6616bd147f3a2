"""Backends by name: the entry points "cmsn.backends"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.manifest.contents import GraphFile, Manifest
from cmsn_runtime.plugins import BACKENDS, find_plugin, plugin_names

AUTO = "auto"  # instead of a name: the best that works on this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What a backend is created from: a bundle's manifest, its graphs as they are read, and where its engines are.

    engines: the folder of the engines to use; None for those that this user has built. bundle_engines: the folder in
    the bundle itself, whose engines are used only where `engines` names it.
    build_command: the command that builds engines, for messages. engine_code: see tensorrt.opening.open_engines.
    threads: number per network on the CPU; None for what suits the network. largest_batch: cameras at once; None for
    the backend's default.
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
    """The object that an entry point of "cmsn.backends" refers to.

    open: raises MissingExtraError and BackendError where the library is missing or refuses the networks.
    is_there: whether it may work on this machine, found without slow imports.
    rank: the order in which `auto` tries kinds, the lowest first; None for a kind that is opened only by name.
    """

    open: Callable[[Networks], GraphBackend]
    is_there: Callable[[Networks], bool]
    rank: int | None = None


def backend_names() -> list[str]:
    """Every kind that is installed."""
    return plugin_names(BACKENDS)


def find_backend(name: str) -> BackendKind:
    """The kind of that name. Raises SettingsError where none exists, or it cannot be imported."""
    return find_plugin(BACKENDS, name, BackendKind, what="the backend", also=AUTO)
