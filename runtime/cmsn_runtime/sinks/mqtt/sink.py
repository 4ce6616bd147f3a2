"""Sends the events of all cameras to an MQTT broker."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import dataclass, field
from fractions import Fraction

from cmsn_runtime.events import Event, Notice, StreamEvent, WallClock
from cmsn_runtime.sinks.base import Ending, OpenSources
from cmsn_runtime.sinks.delivery.messages import Message, message_of
from cmsn_runtime.sinks.delivery.settings import drain_seconds, given_secret, spool_of, tls_context
from cmsn_runtime.sinks.delivery.sink import DeliverySink
from cmsn_runtime.sinks.delivery.status import DeliveryStatus
from cmsn_runtime.sinks.kinds import SinkContext
from cmsn_runtime.sinks.mqtt.connection import Login
from cmsn_runtime.sinks.mqtt.home_assistant import birth_topic, discovery
from cmsn_runtime.sinks.mqtt.sender import OFFLINE, ONLINE, Sender
from cmsn_runtime.sinks.mqtt.settings import MqttSettings
from cmsn_runtime.sinks.mqtt.topics import Topics

_LAG_SECONDS = 10.0  # between two reports of a camera's lag


@dataclass(slots=True)
class _Camera:
    """What is known of one camera. actions: (segment, number) of those going on. lagged: time.monotonic() of the newest
    report of its lag.
    """

    online: bool = False
    actions: set[tuple[int, int]] = field(default_factory=set)
    clock: WallClock | None = None
    lagged: float = 0.0


class MqttSink(DeliverySink[Sender]):
    """Each event goes through the spool to the broker, at least once; those of a camera in order.

    Beside them, retained: whether the site and each camera are available, whether an action is going on, how far a
    camera lags behind, and what Home Assistant needs to show all this. Raises SettingsError and OutputError.
    """

    def __init__(self, settings: MqttSettings, context: SinkContext) -> None:
        self._settings = settings
        self._topics = Topics(settings.topic, context.site)
        self._cameras: OpenSources[_Camera] = OpenSources()
        files = settings.ca, settings.certificate, settings.key
        tls = tls_context(*files, context) if settings.tls else None
        password = given_secret(settings.password, settings.password_file, context, field="password")
        spool = spool_of("mqtt", settings.name.partition("://")[2], settings.spool_megabytes, context)
        # The same after a restart, so that the broker ends a connection that it still takes for alive.
        client = hashlib.sha256(f"{platform.node()} {spool.path}".encode()).hexdigest()[:16]
        login = Login(
            host=settings.host,
            port=settings.port_number,
            client=f"cmsn{client}",
            user=settings.user,
            password=password,
            tls=tls,
        )
        try:
            sender = Sender(
                login,
                spool,
                self._topics,
                name=settings.name,
                birth=birth_topic(settings.discovery_prefix) if settings.discovery else None,
                drain_seconds=drain_seconds(context),
                report=context.report,
            )
        except BaseException:
            spool.close()
            raise
        super().__init__(settings.name, spool, sender, events=settings.events, report=context.report)

    @property
    def status(self) -> DeliveryStatus:
        """How the delivery goes."""
        spool, sender = self._spool, self._sender
        counts = spool.waiting, spool.waiting_bytes, sender.delivered
        return DeliveryStatus(self.name, sender.connected, *counts, refused=0, lost=spool.lost)

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Announce a camera."""
        camera = self._cameras.begin(source, _Camera)
        if self._settings.discovery:
            self._sender.state(*discovery(self._settings.discovery_prefix, self._topics, source))
        self._show(source, online=camera.online)
        self._show_action(source, camera)

    def advance(self, source: str, seconds: Fraction) -> None:
        """A frame: the camera is available. Report its lag from time to time."""
        camera = self._cameras[source]
        if not camera.online:
            self._set_online(source, camera, True)
        now = time.monotonic()
        if camera.clock is not None and now - camera.lagged >= _LAG_SECONDS:
            camera.lagged = now
            lag = max(time.time() - camera.clock.at(seconds), 0.0)
            self._sender.state(self._topics.health(source), json.dumps({"lag": round(lag, 3)}).encode())

    def event(self, source: str, event: StreamEvent) -> None:
        """Store the event, and show what it changes."""
        super().event(source, event)
        camera = self._cameras[source]
        if event.stamp is not None and event.stamp.clock is not None:
            camera.clock = event.stamp.clock
        if isinstance(event, Event):
            self._follow(source, camera, event)
        else:
            self._follow_notice(source, camera, event)

    def end(self, source: str, ending: Ending) -> None:
        """The camera is not available any more."""
        camera = self._cameras.end(source)
        if camera is not None:
            self._end_actions(source, camera)
            self._set_online(source, camera, False)

    def _message(self, source: str, event: StreamEvent) -> Message:
        return message_of(source, event, event_type=event.kind)  # as Home Assistant calls it

    def _follow(self, source: str, camera: _Camera, event: Event) -> None:
        before = bool(camera.actions)
        if event.kind in ("provisional", "revised"):
            camera.actions.add((event.segment, event.action))
        else:
            camera.actions.discard((event.segment, event.action))
        if bool(camera.actions) != before:
            self._show_action(source, camera)

    def _follow_notice(self, source: str, camera: _Camera, notice: Notice) -> None:
        self._end_actions(source, camera)  # they are settled before any notice
        if notice.kind in ("source_lost", "source_back"):
            self._set_online(source, camera, notice.kind == "source_back")

    def _end_actions(self, source: str, camera: _Camera) -> None:
        if camera.actions:
            camera.actions.clear()
            self._show_action(source, camera)

    def _set_online(self, source: str, camera: _Camera, online: bool) -> None:
        if camera.online != online:
            camera.online = online
            self._show(source, online=online)

    def _show(self, source: str, *, online: bool) -> None:
        self._sender.state(self._topics.available(source), ONLINE if online else OFFLINE)

    def _show_action(self, source: str, camera: _Camera) -> None:
        self._sender.state(self._topics.action(source), b"ON" if camera.actions else b"OFF")
