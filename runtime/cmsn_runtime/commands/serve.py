"""`cmsn serve`: live cameras on one model, unattended, with outputs and a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cmsn_runtime.blas import start_no_threads

if TYPE_CHECKING:
    from cmsn_runtime.bundle import Bundle
    from cmsn_runtime.sinks.outlets import Outlets
    from cmsn_runtime.sites.service import CameraFleet
    from cmsn_runtime.sites.tables import Site


@click.command(short_help="Watch live cameras, unattended.")
@click.argument("site", metavar="SITE.toml", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only check the file, and show what would run.")
def serve(site: Path, check: bool) -> None:
    """Find actions in the cameras of a site file, and pass them to its outputs and page, until asked to stop.

    SIGINT (Ctrl-C) and SIGTERM settle the actions under way, write everything and exit with status 0; a second one ends
    at once. SIGHUP reads the file again: only what has changed in it is restarted. A camera that is lost is connected
    again for as long as it takes.
    """
    start_no_threads()
    from cmsn_runtime.errors import BackendWarning, SourceWarning
    from cmsn_runtime.reporting import reported
    from cmsn_runtime.sites.journal import log, logging_lines
    from cmsn_runtime.sites.serving import serve_site
    from cmsn_runtime.stopping import Stopped

    with reported(BackendWarning, SourceWarning):
        if check:
            _check(site)
            return
        with logging_lines():
            try:
                serve_site(site, _open_fleet)
            except Stopped as stopped:  # before the first camera: nothing was found that could be lost
                log.info("%s", stopped)


def _check(path: Path) -> None:
    from cmsn_runtime.reporting import say
    from cmsn_runtime.sites.checking import check_site, described
    from cmsn_runtime.sites.reading import read_site

    site = read_site(path)
    for line in described(site, check_site(site)):
        say(line)


def _open_fleet(bundle: Bundle, outlets: Outlets, site: Site) -> CameraFleet:
    from cmsn_runtime.capture.capture import Capture
    from cmsn_runtime.commands.cameras import report_failure
    from cmsn_runtime.live.fleet import Fleet

    return Fleet(
        bundle,
        outlets,
        site.scheduler,
        site=site.name,
        on_failure=report_failure,
        capture=Capture,
        unattended=True,
    )
