"""Checks a site file against the bundle and the installed outputs, without opening anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cmsn_runtime.backends.registry import AUTO, find_backend
from cmsn_runtime.bundle_files import locate_bundle, read_manifest
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.contents import Manifest
from cmsn_runtime.paths import bundle_path
from cmsn_runtime.serving.settings import require_web
from cmsn_runtime.site import tuned
from cmsn_runtime.sites.outputs import check_output, context_of
from cmsn_runtime.sites.places import within
from cmsn_runtime.sites.tables import Site
from cmsn_runtime.sources.addresses import public_name
from cmsn_runtime.sources.pipelines import is_pipeline


def check_site(site: Site) -> Manifest:
    """The manifest of the site's bundle.

    Raises SettingsError for what is not allowed, BundleError for the bundle, MissingExtraError for missing libraries.
    """
    manifest = read_manifest(locate_bundle(bundle_path(site.model.bundle, site.folder)))
    with within(f"{site.path}:"):
        if manifest.features is not None:
            raise SettingsError(f"site.bundle: {manifest.name} takes feature rows, which no camera delivers")
        if not site.outputs and site.web is None:
            raise SettingsError("it has neither outputs nor a page: add a table [outputs.NAME] or [web]")
        with within("site.backend:"):
            if site.model.backend != AUTO:
                find_backend(site.model.backend)
        if site.web is not None:
            require_web()
        tuned(manifest.proposals, manifest.tracking, site.settings)
        for camera in site.cameras.values():
            with within(f"cameras.{camera.name}:"):
                tuned(manifest.proposals, manifest.tracking, camera.streaming)
        for name, table in site.outputs.items():
            check_output(name, table, context_of(name, site, manifest.grid))
        _require_own_files(site)
    return manifest


def _require_own_files(site: Site) -> None:
    """Two outputs that continue one file would mix their lines."""
    owners: dict[Path, str] = {}
    for name, table in site.outputs.items():
        path = table.get("path")
        if isinstance(path, str):
            owner = owners.setdefault(Path(os.path.realpath(site.state / Path(path).expanduser())), name)
            if owner != name:
                raise SettingsError(f"outputs.{owner} and outputs.{name} have the same path; give each its own")


def described(site: Site, manifest: Manifest) -> Iterator[str]:
    """What would run, a line each, without secrets."""
    yield f"site {site.name}: bundle {manifest.name}, backend {site.model.backend}, state in {site.state}"
    for camera in site.cameras.values():
        changed = tuned(manifest.proposals, manifest.tracking, camera.streaming)
        settings = f"; {changed}" if changed.changed else ""
        yield f"camera {camera.name}: {_shown(camera.address.reveal())}{settings}"
    for name in site.disabled:
        yield f"camera {name}: not enabled"
    for name, table in site.outputs.items():
        yield f"output {name}: {table['kind']}"
    if site.web is not None:
        token = "with" if site.web.token is not None else "without"
        yield f"page: http://{site.web.host}:{site.web.port}/, {token} a token"


def _shown(address: str) -> str:
    """A pipeline may hold passwords anywhere."""
    return "a GStreamer pipeline" if is_pipeline(address) else public_name(address)
