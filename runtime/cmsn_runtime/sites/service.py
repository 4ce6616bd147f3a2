"""A site that runs: its cameras, outputs and page, changed one by one while the others continue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import CmsnError
from cmsn_runtime.live.settings import CameraSettings
from cmsn_runtime.live.status import CameraStatus
from cmsn_runtime.reporting import report
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.sites.changes import Changes, changes
from cmsn_runtime.sites.journal import JournalSink
from cmsn_runtime.sites.outputs import context_of, open_output
from cmsn_runtime.sites.tables import Site

if TYPE_CHECKING:
    from cmsn_runtime.serving.server import Web

IDLE_SECONDS = 10.0  # without a round of the cameras, from which on something hangs
_SETTLE_SECONDS = 5.0  # for networks that hang; without that, settling takes a fraction of a second
_AGAIN_SECONDS = 60.0  # after which an output that failed is opened again
_STUCK_SECONDS = 15.0  # without progress, from which on the health is bad
_CHANGED = "its settings have changed"


class CameraFleet(Protocol):
    """What is needed of live.fleet.Fleet."""

    @property
    def idle_seconds(self) -> float: ...
    def add(self, settings: CameraSettings) -> None: ...
    def remove(self, name: str) -> None: ...
    def restart(self, name: str) -> None: ...
    def statuses(self) -> Sequence[CameraStatus]: ...
    def stop(self) -> None: ...
    def run(self) -> None: ...
    def close(self) -> None: ...


FleetOpener = Callable[[Bundle, Outlets, Site], CameraFleet]


class Service(Closing):
    """Runs a site from `start` to `stop`. Raises CmsnError where an output or the page cannot be opened.

    error: what ended it, besides `stop`.
    """

    def __init__(self, site: Site, bundle: Bundle, open_fleet: FleetOpener) -> None:
        self.error: BaseException | None = None
        self.site = site
        self._bundle = bundle
        self._outlets = Outlets([JournalSink()], on_failure=report)
        self._sinks: dict[str, Sink] = {}
        self._opened = time.monotonic()  # when outputs were opened last
        self._web: Web | None = None
        self._page: Sink | None = None
        self._thread = threading.Thread(target=self._run, name="cmsn-cameras", daemon=True)
        self._fleet = open_fleet(bundle, self._outlets, site)
        try:
            for name in site.outputs:
                self._open_output(name)
            self._open_page()
            for camera in site.cameras.values():
                self._fleet.add(camera)
        except BaseException:
            self.close()
            raise

    @property
    def running(self) -> bool:
        """Whether it has been started, and neither failed nor been stopped."""
        return self._thread.is_alive()

    @property
    def idle_seconds(self) -> float:
        """Since the cameras were looked after last: a service that works does so several times a second."""
        return self._fleet.idle_seconds

    @property
    def page_url(self) -> str | None:
        """Where the page is, if there is one."""
        return None if self._web is None else self._web.url

    def statuses(self) -> Sequence[CameraStatus]:
        """The states of all cameras."""
        return self._fleet.statuses()

    def start(self) -> None:
        """Run the cameras, in a thread."""
        self._thread.start()

    def change(self, site: Site) -> Changes:
        """Run another version of the site file, which was checked. What has not changed is not touched, except cameras
        that have ended by a fault: its cause may be gone.
        """
        found = changes(self.site, site)
        wanted = self._wanted()
        self.site = site
        for name in (*found.outputs.removed, *found.outputs.changed):
            self._change_output(name)
        for name in found.outputs.added:
            self._try_output(name)
        if found.web:
            self._change_page()
        changed = {*found.cameras.changed, *self._failed_cameras(site)}
        for name in (*found.cameras.removed, *changed):
            self._fleet.remove(name)
        for name in (*changed, *found.cameras.added):
            self._fleet.add(site.cameras[name])
        if wanted != self._wanted():  # captures must deliver more, or less
            for name in site.cameras:
                if name not in (*changed, *found.cameras.added):
                    self._fleet.restart(name)
        return found

    def revive(self) -> None:
        """Open outputs that have failed, and a page that could not be opened, again, at most once a minute: a full disk
        may have room again, and a port may be free again.
        """
        if time.monotonic() - self._opened < _AGAIN_SECONDS:
            return
        self._opened = time.monotonic()
        for name in self.site.outputs:
            if name not in self._sinks or self._sinks[name] not in self._outlets:
                self._try_output(name)
        if self._web is None:
            self._try_page()

    def close(self) -> None:
        """Settle all actions, write everything and end, in about a second."""
        ending = threading.Thread(target=self._close_page, name="cmsn-closing-page", daemon=True)
        ending.start()
        if self._thread.ident is not None:
            self._fleet.stop()
            self._thread.join(_SETTLE_SECONDS)
            if self._thread.is_alive():
                report("the networks hang: actions under way could not be settled")
        self._fleet.close()
        self._outlets.close()
        ending.join()

    def _run(self) -> None:
        try:
            self._fleet.run()
        except BaseException as error:
            self.error = error

    def _wanted(self) -> tuple[bool, bool]:
        """What captures deliver besides frames: pictures, packets."""
        return self._outlets.wants_pictures, self._outlets.wants_packets

    def _failed_cameras(self, site: Site) -> list[str]:
        """Cameras of the new version that were given up."""
        return [
            each.name for each in self.statuses() if each.state == "ended" and each.reason and each.name in site.cameras
        ]

    def _open_output(self, name: str) -> None:
        context = context_of(name, self.site, self._bundle.grid)
        self._sinks[name] = open_output(name, self.site.outputs[name], context)
        self._outlets.add(self._sinks[name])

    def _try_output(self, name: str) -> None:
        try:
            self._open_output(name)
        except CmsnError as error:
            report(f"{error}; it is tried again every {_AGAIN_SECONDS:.0f} s")

    def _change_output(self, name: str) -> None:
        """Nothing is lost between the two: the cameras wait."""
        with self._outlets.held():
            if (sink := self._sinks.pop(name, None)) is not None:
                self._outlets.remove(sink, _CHANGED)
            if name in self.site.outputs:
                self._try_output(name)

    def _open_page(self) -> None:
        if self.site.web is None:
            return
        from cmsn_runtime.serving.server import start_web
        from cmsn_runtime.serving.sink import PageSink

        stuck = max(_STUCK_SECONDS, 3 * self.site.scheduler.lag_seconds)
        page = PageSink(step_seconds=self._bundle.grid.step_seconds)
        self._web = start_web(
            self.site.web,
            self._fleet,
            page,
            site=self.site.name,
            networks=self._bundle.networks,
            outputs=self._outputs,
            stuck_seconds=stuck,
        )
        self._page = page
        self._outlets.add(page)

    def _outputs(self) -> dict[str, Sink | None]:
        """Each output; none in place of one that has failed."""
        found = {name: self._sinks.get(name) for name in self.site.outputs}
        return {name: sink if sink is not None and sink in self._outlets else None for name, sink in found.items()}

    def _change_page(self) -> None:
        self._close_page()
        if self._page is not None:
            self._outlets.remove(self._page, _CHANGED)
        self._try_page()

    def _try_page(self) -> None:
        try:
            self._open_page()
        except CmsnError as error:
            report(f"{error}; it is tried again every {_AGAIN_SECONDS:.0f} s")

    def _close_page(self) -> None:
        if self._web is not None:
            self._web.close()
            self._web = None
