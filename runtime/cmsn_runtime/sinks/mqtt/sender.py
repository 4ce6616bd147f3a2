"""Sends what is in a spool to a broker, and the states of cameras as they are now."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cmsn_runtime.closing import Closing
from cmsn_runtime.sinks.delivery.outage import Outage
from cmsn_runtime.sinks.delivery.spool import Spool
from cmsn_runtime.sinks.mqtt.connection import Acknowledged, Broken, Connected, Connection, Happening, Login, Received
from cmsn_runtime.sinks.mqtt.home_assistant import BIRTH
from cmsn_runtime.sinks.mqtt.topics import Topics

ONLINE, OFFLINE = b"online", b"offline"
_IN_FLIGHT = 20  # events sent and not acknowledged: what a crash may send twice
_GOODBYE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _State:
    """A retained message that replaces the one before it: only the newest is sent."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Wake:
    """There is something new to look at."""


class Sender(Closing):
    """A thread that has the connection, and alone publishes on it. Everything reaches it by one queue.

    Events leave the spool in order, when the broker has acknowledged them and all before them. States are sent at each
    connection, and whenever Home Assistant starts. name: of the broker, in public. birth: topic on which it reports
    that; none without it. error: what ended the thread, if something did.
    """

    def __init__(
        self,
        login: Login,
        spool: Spool,
        topics: Topics,
        *,
        name: str,
        birth: str | None,
        drain_seconds: float,
        report: Callable[[str], None],
    ) -> None:
        self.delivered = 0
        self.connected = False
        self.error: Exception | None = None
        self._spool, self._topics, self._drain_seconds = spool, topics, drain_seconds
        self._outage = Outage(name, report)
        self._inbox: queue.SimpleQueue[Happening | _State | _Wake] = queue.SimpleQueue()
        self._states: dict[str, bytes] = {}
        self._flight: dict[int, int] = {}  # number of the broker's protocol -> that of the spool
        self._sent = 0
        self._goodbye: int | None = None
        self._deadline: float | None = None
        self._connection = Connection(
            login, will=(topics.site_available, OFFLINE), subscription=birth, hand_over=self._inbox.put
        )
        self._thread = threading.Thread(target=self._run, name=f"MQTT {name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is a new event in the spool."""
        self._inbox.put(_Wake())

    def state(self, topic: str, payload: bytes) -> None:
        """Publish a retained message, now and at each later connection."""
        self._inbox.put(_State(topic, payload))

    def finish(self) -> None:
        """Begin to send what waits, and to disconnect then."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._drain_seconds
            self.wake()

    def close(self) -> None:
        """Wait until that is done, or its time is over."""
        self.finish()
        assert self._deadline is not None
        self._thread.join(max(self._deadline - time.monotonic(), 0) + 2 * _GOODBYE_SECONDS)
        self._connection.close()

    def _run(self) -> None:
        try:
            while not self._is_over():
                self._take(self._deadline)
                self._send()
            self._say_goodbye()
        except Exception as error:
            self.error = error
        finally:
            self.connected = False
            self._connection.close()

    def _is_over(self) -> bool:
        """At the end: whether all is sent, or cannot be."""
        if self._deadline is None:
            return False
        done = self.connected and not self._flight and not self._spool.waiting
        return done or self._outage.lasts or time.monotonic() >= self._deadline

    def _take(self, deadline: float | None) -> None:
        """Wait for something to happen, and look at all that has."""
        timeout = None if deadline is None else max(deadline - time.monotonic(), 0)
        before = len(self._flight)
        try:
            self._handle(self._inbox.get(timeout=timeout))
            while not self._inbox.empty():
                self._handle(self._inbox.get_nowait())
        except queue.Empty:
            pass
        if len(self._flight) < before:
            oldest = min(self._flight.values(), default=self._sent + 1)
            self._spool.acknowledge(oldest - 1)

    def _handle(self, happening: Happening | _State | _Wake) -> None:
        if isinstance(happening, Acknowledged):
            if happening.number == self._goodbye:
                self._goodbye = None
            elif self._flight.pop(happening.number, None) is not None:
                self.delivered += 1
        elif isinstance(happening, _State):
            self._states[happening.topic] = happening.payload
            if self.connected:
                self._connection.publish(happening.topic, happening.payload, retain=True)
        elif isinstance(happening, Connected):
            self.connected = True
            self._outage.ends(waiting=self._spool.waiting)
            self._publish_states()
        elif isinstance(happening, Broken):
            self.connected = False
            self._outage.begins(happening.reason, waiting=self._spool.waiting)
        elif isinstance(happening, Received) and happening.payload == BIRTH and self.connected:
            self._publish_states()

    def _publish_states(self) -> None:
        self._connection.publish(self._topics.site_available, ONLINE, retain=True)
        for topic, payload in self._states.items():
            self._connection.publish(topic, payload, retain=True)

    def _send(self) -> None:
        if not self.connected or len(self._flight) >= _IN_FLIGHT:
            return
        for stored in self._spool.after(self._sent, _IN_FLIGHT - len(self._flight)):
            number = self._connection.publish(self._topics.events(stored.message.camera), stored.message.body)
            self._flight[number] = self._sent = stored.number

    def _say_goodbye(self) -> None:
        """Publish that the site is gone, which the will does only where it is gone without this."""
        if not self.connected:
            return
        self._goodbye = self._connection.publish(self._topics.site_available, OFFLINE, retain=True)
        deadline = time.monotonic() + _GOODBYE_SECONDS
        while self._goodbye is not None and self.connected and time.monotonic() < deadline:
            self._take(deadline)
