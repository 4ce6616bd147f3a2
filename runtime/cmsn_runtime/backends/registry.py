"""Backends by name, as in "openvino" or "openvino:GPU": the entry points "cmsn.backends"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.errors import SettingsError
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
    the backend's default. argument: what follows the backend's name and a colon, such as a device; "" for nothing.
    """

    manifest: Manifest
    read: Callable[[GraphFile], bytes]
    engines: Path | None
    bundle_engines: Path
    build_command: str
    engine_code: bool = False
    threads: int | None = None
    largest_batch: int | None = None
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendKind:
    """The object that an entry point of "cmsn.backends" refers to.

    open: raises MissingExtraError and BackendError where the library is missing or refuses the networks.
    absence: why it cannot work on this machine, or not well enough to be taken unasked, in a few words; empty where it
        may work. Found without slow imports.
    rank: the order in which `auto` tries kinds, the lowest first; None for a kind that is opened only by name.
    argument: what may follow its name and a colon, in words; "" where nothing may.
    """

    open: Callable[[Networks], GraphBackend]
    absence: Callable[[Networks], str]
    rank: int | None = None
    argument: str = ""


def backend_names() -> list[str]:
    """Every kind that is installed."""
    return plugin_names(BACKENDS)


def find_backend(name: str) -> BackendKind:
    """The kind of a name, which has its argument already where one follows the name and a colon.

    Raises SettingsError where none exists, it cannot be imported, or it takes no such argument.
    """
    kind_name, colon, argument = name.partition(":")
    kind = find_plugin(BACKENDS, kind_name, BackendKind, what="the backend", also=AUTO)
    if not colon:
        return kind
    if not kind.argument:
        raise SettingsError(f"the backend is {name!r}; nothing may follow {kind_name}; write {kind_name}")
    if not argument:
        raise SettingsError(f"the backend is {name!r}; after the colon comes {kind.argument}, or omit the colon")
    return replace(
        kind,
        open=lambda networks: kind.open(replace(networks, argument=argument)),
        absence=lambda networks: kind.absence(replace(networks, argument=argument)),
    )
