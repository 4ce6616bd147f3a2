"""A connection to a broker that is made again whenever it breaks; what happens on it is handed over by a queue."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmsn_runtime.closing import Closing
from cmsn_runtime.secrets import Secret
from cmsn_runtime.text import one_line

if TYPE_CHECKING:
    import ssl

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_KEEPALIVE_SECONDS = 20  # without a packet, after which the connection is checked; twice that, and it is broken
_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 0.1  # for the thread to end; one that connects takes longer, and ends by itself
_RETRY_SECONDS = (1, 30)  # doubled from the first to the last
_MOST_IN_FLIGHT = 100


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted this client."""


@dataclass(frozen=True, slots=True)
class Broken:
    """There is no connection, or no longer. reason: in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has a message. number: what `publish` returned."""

    number: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a topic that was subscribed to."""

    topic: str
    payload: bytes


Happening = Connected | Broken | Acknowledged | Received


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where and as whom to connect. client: an id that no other client of the broker has."""

    host: str
    port: int
    client: str
    user: str
    password: Secret | None
    tls: ssl.SSLContext | None


class Connection(Closing):
    """Connects in a thread of its own, which it keeps. Every message has QoS 1.

    Those that are not acknowledged when a connection breaks are sent again on the next one, marked as such.

    will: topic and payload that the broker publishes, retained, if this client is gone. subscription: a topic, or none.
    hand_over: gets what happens. paho calls it while it holds its own locks, so it must return at once, and must not
    publish.
    """

    def __init__(
        self,
        login: Login,
        *,
        will: tuple[str, bytes],
        subscription: str | None,
        hand_over: Callable[[Happening], None],
    ) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        # 3.1.1 is what every broker speaks. The session is clean since the spool remembers what was not sent.
        client = Client(
            CallbackAPIVersion.VERSION2, login.client, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        if login.user:
            client.username_pw_set(login.user, None if login.password is None else login.password.reveal())
        if login.tls is not None:
            client.tls_set_context(login.tls)
        client.will_set(*will, qos=1, retain=True)
        client.max_inflight_messages_set(_MOST_IN_FLIGHT)
        client.reconnect_delay_set(*_RETRY_SECONDS)
        client.connect_timeout = _CONNECT_SECONDS
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._client = client
        self._subscription = subscription
        self._hand_over = hand_over
        self._accepted = self._closed = False
        client.connect_async(login.host, login.port, keepalive=_KEEPALIVE_SECONDS)
        client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send a message -> its number, which is acknowledged later."""
        return self._client.publish(topic, payload, qos=1, retain=retain).mid

    def close(self) -> None:
        """Disconnect; the broker does not publish the will then. Returns at once, the thread may end later."""
        if self._closed:
            return
        self._closed = True
        self._client.disconnect()
        # Ends the thread, and waits for it: while it connects, that takes seconds.
        ending = threading.Thread(target=self._client.loop_stop, name="end of MQTT", daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)

    def _on_connect(
        self, client: Client, data: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._accepted = not code.is_failure
        if code.is_failure:
            self._hand_over(Broken(f"the broker refuses this client ({code})"))
            return
        if self._subscription is not None:
            client.subscribe(self._subscription, qos=1)
        self._hand_over(Connected())

    def _on_connect_fail(self, client: Client, data: object) -> None:
        self._hand_over(Broken(_reason(sys.exc_info()[1])))  # paho calls it where it handles the error

    def _on_disconnect(
        self, client: Client, data: object, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if self._accepted:
            self._accepted = False
            self._hand_over(Broken("the connection broke"))

    def _on_publish(self, client: Client, data: object, number: int, code: ReasonCode, properties: Properties) -> None:
        self._hand_over(Acknowledged(number))

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        with contextlib.suppress(UnicodeDecodeError):
            self._hand_over(Received(message.topic, bytes(message.payload)))


def _reason(error: BaseException | None) -> str:
    detail = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or type(error).__name__
    return f"cannot be reached ({one_line(detail)})"
