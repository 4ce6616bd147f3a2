"""Runs a site file until a signal asks for its end."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from signal import SIGHUP
from signal import Signals as Signal

from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.errors import CmsnError
from cmsn_runtime.paths import bundle_path, expanded_path
from cmsn_runtime.sites.checking import check_site
from cmsn_runtime.sites.journal import log
from cmsn_runtime.sites.lock import locked_folder
from cmsn_runtime.sites.reading import read_site
from cmsn_runtime.sites.service import IDLE_SECONDS, FleetOpener, Service
from cmsn_runtime.sites.signals import Signals
from cmsn_runtime.sites.systemd import notify
from cmsn_runtime.sites.tables import Site

_LOOK_SECONDS = 0.5


def serve_site(path: Path, open_fleet: FleetOpener) -> None:
    """Run the cameras of a site file; returns when SIGINT or SIGTERM asked for the end, and everything is written.

    SIGHUP: reads the file again. Raises CmsnError where it cannot begin, and whatever ends the cameras.
    """
    site = read_site(path)
    check_site(site)
    with ExitStack() as stack:
        stack.enter_context(locked_folder(site.state))
        bundle = stack.enter_context(_bundle_of(site))
        service = stack.enter_context(Service(site, bundle, open_fleet))
        signals = stack.enter_context(Signals())
        log.info("%s", _begun(service, bundle))
        service.start()
        notify("READY=1", _status(service))
        asked = _until_asked(service, signals)
        if asked is not None:
            log.info("stopping (%s)", asked.name)
        notify("STOPPING=1")
        service.close()
        if service.error is not None:
            raise service.error
        log.info("stopped; everything is written")


def _until_asked(service: Service, signals: Signals) -> Signal | None:
    """The signal that asks for the end; None where the cameras have ended."""
    while service.running:
        asked = signals.next(_LOOK_SECONDS)
        if asked == SIGHUP:
            _reload(service)
        elif asked is not None:
            return asked
        service.revive()
        if service.idle_seconds < IDLE_SECONDS:  # otherwise systemd's watchdog ends this process
            notify("WATCHDOG=1", _status(service))
    return None


def _reload(service: Service) -> None:
    """A file that is at fault is reported, and changes nothing."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
    path = service.site.path
    try:
        site = read_site(path)
        check_site(site)
        log.info("%s: %s", path, service.change(site))
    except CmsnError as error:
        log.error("%s; nothing was changed", error)
    notify("READY=1", _status(service))


def _begun(service: Service, bundle: Bundle) -> str:
    """What is run, where and on what."""
    site, count = service.site, len(service.site.cameras)
    page = f", the page is {service.page_url}" if service.page_url else ", without a page"
    cameras = f"{count} camera{'' if count == 1 else 's'}"
    return f"site {site.name}: {cameras} on bundle {bundle.manifest.name}, {bundle.networks}{page}"


def _status(service: Service) -> str:
    """For `systemctl status`."""
    states = Counter(each.state for each in service.statuses())
    return "STATUS=cameras: " + (", ".join(f"{count} {state}" for state, count in states.items()) or "none")


def _bundle_of(site: Site) -> Bundle:
    """The model without the site's settings, which every camera has among its own, so that they can be changed."""
    model = site.model
    return open_bundle(
        bundle_path(model.bundle, site.folder),
        backend=model.backend,
        threads=model.threads,
        largest_batch=model.largest_batch,
        engines=None if model.engines is None else expanded_path(model.engines, site.folder),
        engine_code=model.allow_engine_code,
    )
