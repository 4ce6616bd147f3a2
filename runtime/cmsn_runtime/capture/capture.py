"""The capture of one camera: a process that is started again whenever it stalls or ends."""

from __future__ import annotations

import os
import select
import threading
import time
import warnings
from dataclasses import replace

from cmsn_runtime.capture.backoff import Backoff
from cmsn_runtime.capture.items import (
    CapturedFrame,
    CapturedPacket,
    CaptureItem,
    Deliver,
    SourceBack,
    SourceEnded,
    SourceLost,
)
from cmsn_runtime.capture.process import CaptureProcess
from cmsn_runtime.capture.protocol import Ended, ProtocolError, Reader, Warned
from cmsn_runtime.capture.receiving import Receiver
from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.capture.stalling import StallWatch, is_segmented
from cmsn_runtime.capture.task import Task
from cmsn_runtime.capture.ways import Way, way_of
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import CmsnError, SourceWarning
from cmsn_runtime.secrets import Secret, remember, scrubbed
from cmsn_runtime.sources.addresses import redacted
from cmsn_runtime.sources.excerpt import Excerpt
from cmsn_runtime.sources.options import SourceOptions

_CLOSE_SECONDS = 1.0
_CLOSED_BY_PEER = "the connection was closed by the other side"


class Capture(Closing):
    """Delivers what a camera sends, from a thread of its own, from its creation until `close`.

    address, options: as of open_source; its process alone sees them. `begin` and `length` are on the camera's clock,
        over all connections. name: of the camera, for messages. size: (height,
        width) of frames. deliver: called from that thread with each item (see items.py); it must not wait for long.
    pictures, packets: whether these are delivered too. paced: the address is a file, played at its own speed; its end
        is a SourceEnded.

    What the camera does is never raised: a connection that ends or stalls is a SourceLost, and is opened again; only
    what can never work is a SourceEnded with a reason.
    """

    def __init__(
        self,
        address: Secret,
        *,
        name: str,
        size: tuple[int, int],
        deliver: Deliver,
        options: SourceOptions,
        settings: CaptureSettings,
        pictures: bool,
        packets: bool,
        paced: bool = False,
    ) -> None:
        self.name = name
        self._address = address
        self._task = Task(
            address=address.reveal(),
            size=size,
            options=options,
            picture_width=settings.picture_width,
            pictures_per_second=settings.pictures_per_second if pictures else 0.0,
            packets=packets,
            paced=paced,
        )
        for secret in options.secrets():
            remember(secret)
        self._deliver = deliver
        self._excerpt = None if paced else Excerpt(options)  # a file's process knows its end
        self._enough = False
        self._loop = settings.loop and paced
        self._stall_seconds = settings.stall_seconds
        self._segmented = is_segmented(address.reveal())
        self._backoff = Backoff(settings.first_retry_seconds, settings.last_retry_seconds)
        self._receiver = Receiver(size, self._received, file=paced)
        self._lost_since: float | None = None
        self._seen = time.monotonic()  # the newest frame, or the start
        self._closed = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._lock = threading.Lock()  # of _wake, which the thread closes at its end
        self._thread = threading.Thread(target=self._run, name=f"capture {name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the process and the thread, whatever they wait for. May be called twice, and by `deliver`."""
        with self._lock:
            self._closed = True
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            way = way_of(self._task.address)
            while not self._closed:
                ended = self._session(way)
                if self._closed:
                    return
                if ended.hopeless and self._loop and not ended.reason:
                    continue
                if ended.hopeless:
                    self._deliver(SourceEnded(ended.reason))
                    return
                wait = self._backoff.wait()
                self._lost(ended.reason, wait)
                self._ready(until=time.monotonic() + wait)
        except CmsnError as error:
            self._deliver(SourceEnded(self._safe(str(error))))
        finally:
            with self._lock:
                os.close(self._wake)
                self._wake = -1

    def _session(self, way: Way) -> Ended:
        """One connection, until it ends -> why. hopeless: nothing will come any more."""
        begun = time.monotonic()
        self._receiver.new_session()
        try:
            with CaptureProcess(way.command, self._asked().to_json(), stdin=way.stdin) as process:
                ended = self._read(process, patient=way.patient)
        except OSError as error:
            ended = Ended(f"its process cannot be started: {error.strerror}", False)
        except Exception as error:  # no thread may end in silence: the camera would be neither there nor lost
            ended = Ended(f"{type(error).__name__}: {error}", False)
        if self._seen > begun:
            self._backoff.worked(self._seen - begun)
        final = self._task.paced or way.once or ended.hopeless
        return Ended(self._safe(ended.reason) or ("" if final else _CLOSED_BY_PEER), final)

    def _asked(self) -> Task:
        """Of the next session: once the requested part was begun, none skips anything."""
        if self._excerpt is None or not self._excerpt.begun:
            return self._task
        return replace(self._task, options=replace(self._task.options, begin=None))

    def _read(self, process: CaptureProcess, *, patient: bool) -> Ended:
        watch, reader = StallWatch(self._stall_seconds, segmented=self._segmented), Reader()
        try:
            while not self._closed:
                if not self._ready(process.descriptor, until=watch.deadline):
                    if self._closed:
                        break
                    if not patient:
                        return Ended(watch.reason(), False)
                    self._lost(watch.reason(), 0.0)
                    watch.wait_on()
                    continue
                while (count := process.read(reader.room())) is not None and not self._closed:
                    if not count:
                        reader.end()
                        return Ended(f"its process ended with {process.status()}", False)
                    message = reader.filled(count)
                    if isinstance(message, Ended):
                        return message
                    if isinstance(message, Warned):
                        warnings.warn(self._safe(message.text), SourceWarning, stacklevel=2)
                    elif message is not None:
                        self._receiver.take(message, watch)
                    if self._enough:
                        return Ended("", True)
        except ProtocolError as error:
            return Ended(f"{error}; its process ended with {process.status()}", False)
        return Ended("", False)

    def _received(self, item: CaptureItem) -> None:
        """Deliver what came; after an outage, first its end (a session's packets come with its first frame)."""
        if isinstance(item, CapturedFrame | CapturedPacket):
            if self._lost_since is not None:
                self._deliver(SourceBack(item.arrived - self._lost_since, item.arrived))
                self._lost_since = None
            self._seen = item.arrived
        if isinstance(item, CapturedFrame) and self._excerpt is not None:
            place = self._excerpt.place(item.frame.seconds, jumped=False)
            self._enough = place == "after"
            if place != "inside":
                return
        self._deliver(item)

    def _lost(self, reason: str, retry_seconds: float) -> None:
        """Report an outage, once."""
        if self._lost_since is None:
            self._lost_since = self._seen
            self._deliver(SourceLost(reason, time.monotonic(), retry_seconds))

    def _safe(self, reason: str) -> str:
        return scrubbed(redacted(reason, self._address.reveal()))

    def _ready(self, *descriptors: int, until: float) -> bool:
        """Wait until one of them can be read -> whether it can; not once `until` has passed or this is closed."""
        poll = select.poll()
        for descriptor in (self._wake, *descriptors):
            poll.register(descriptor, select.POLLIN)
        left = max(0.0, until - time.monotonic())
        found = poll.poll(None if left == float("inf") else 1000 * left)
        return not self._closed and any(descriptor != self._wake for descriptor, _ in found)
