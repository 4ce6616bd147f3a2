"""What the sender makes of acknowledgements, crashes of its thread and brokers that do not answer."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from external import require_program
from waiting import settle_seconds

from cmsn_benchmarks.live.broker import MOSQUITTO, PASSWORD, USER, Broker, wait
from cmsn_runtime.events import Event, Proposal
from cmsn_runtime.sinks.delivery.messages import Message
from cmsn_runtime.sinks.delivery.spool import Spool, open_spool
from cmsn_runtime.sinks.kinds import SinkContext, find_sink
from cmsn_runtime.sinks.mqtt import sender as sender_module
from cmsn_runtime.sinks.mqtt.connection import Acknowledged, Broken, Connected, Happening, Login
from cmsn_runtime.sinks.mqtt.sender import Sender
from cmsn_runtime.sinks.mqtt.topics import Topics
from cmsn_runtime.sinks.threaded import ThreadedSink

LOGIN = Login(host="", port=1, client="", user="", password=None, tls=None)
FINAL = Event("final", 1, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3))


class ScriptedConnection:
    """Keeps what is published; the test says what is acknowledged."""

    def __init__(self, login: Login, *, hand_over: Callable[[Happening], None], **_: object) -> None:
        self.published: list[tuple[str, bytes, bool]] = []
        self.hand_over = hand_over

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        self.published.append((topic, payload, retain))
        return len(self.published)

    def numbers(self, *bodies: bytes) -> list[int]:
        """Numbers of the newest messages with these bodies."""
        return [max(n for n, (_, body, _) in enumerate(self.published, 1) if body == wanted) for wanted in bodies]

    def acknowledge(self, *bodies: bytes) -> None:
        for number in self.numbers(*bodies):
            self.hand_over(Acknowledged(number))

    def close(self) -> None:
        pass


Parts = tuple[Sender, ScriptedConnection, Spool]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    monkeypatch.setattr(sender_module, "Connection", ScriptedConnection)
    with open_spool(tmp_path, "x", most_bytes=2**20, report=lambda line: None) as spool:
        sender = Sender(
            LOGIN, spool, Topics("t", "s"), name="x", birth=None, drain_seconds=0.2, report=lambda line: None
        )
        connection: object = sender._connection
        assert isinstance(connection, ScriptedConnection)
        with sender:
            yield sender, connection, spool


def add(sender: Sender, spool: Spool, *bodies: bytes) -> None:
    for body in bodies:
        spool.add(Message(body.decode(), "door", "final", body))
    sender.wake()


def events(connection: ScriptedConnection) -> list[bytes]:
    return [body for topic, body, _ in connection.published if topic.endswith("/events")]


def test_the_spool_is_emptied_only_up_to_the_oldest_event_without_an_acknowledgement(parts: Parts) -> None:
    sender, connection, spool = parts
    connection.hand_over(Connected())
    add(sender, spool, b"1", b"2", b"3", b"4")
    wait(lambda: events(connection) == [b"1", b"2", b"3", b"4"])
    connection.acknowledge(b"2", b"3")
    wait(lambda: sender.delivered == 2)
    assert spool.waiting == 4
    connection.acknowledge(b"1")
    wait(lambda: spool.waiting == 1)
    connection.acknowledge(b"4")
    wait(lambda: spool.waiting == 0)


def test_only_so_many_are_under_way_and_none_without_a_connection(parts: Parts) -> None:
    sender, connection, spool = parts
    bodies = [f"{number:02}".encode() for number in range(30)]
    add(sender, spool, *bodies)
    connection.hand_over(Connected())
    wait(lambda: len(events(connection)) == 20)
    connection.hand_over(Broken("x"))
    wait(lambda: not sender.connected)
    connection.acknowledge(*bodies[:5])
    wait(lambda: spool.waiting == 25)
    assert len(events(connection)) == 20
    connection.hand_over(Connected())
    wait(lambda: events(connection) == bodies[:25])


def test_of_a_state_only_the_newest_is_sent_at_a_connection(parts: Parts) -> None:
    sender, connection, _ = parts
    for payload in (b"a", b"b", b"c"):
        sender.state("topic", payload)
    connection.hand_over(Connected())
    wait(lambda: len(connection.published) == 2)
    assert connection.published == [("t/s/available", b"online", True), ("topic", b"c", True)]


def test_what_ends_the_thread_is_raised_by_the_next_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "Connection", ScriptedConnection)
    open_table = find_sink("mqtt").open_table
    assert open_table is not None
    sink = open_table({"host": "broker"}, SinkContext(Fraction(1), folder=tmp_path, name="x", live=True))
    sink.begin("door", None)
    monkeypatch.setattr(sender_module.Sender, "_handle", _fail)
    sink.event("door", FINAL)

    def raised() -> bool:
        try:
            sink.event("door", FINAL)
        except ZeroDivisionError:
            return True
        return False

    wait(raised)
    sink.close()


def _fail(*_: object) -> None:
    raise ZeroDivisionError


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def test_a_broker_that_never_answers_holds_up_neither_events_nor_the_end(tmp_path: Path, silent_port: int) -> None:
    open_table = find_sink("mqtt").open_table
    assert open_table is not None
    lines: list[str] = []
    context = SinkContext(Fraction(1), folder=tmp_path, name="x", live=True, report=lines.append)
    begun = time.monotonic()
    with ThreadedSink(open_table({"host": "127.0.0.1", "port": silent_port}, context), on_report=lines.append) as sink:
        sink.begin("door", None)
        sink.event("door", FINAL)
    assert time.monotonic() - begun < settle_seconds()
    assert [line.partition(": ")[2] for line in lines] == ["1 events wait in the spool; the next start sends them"]


def test_a_broker_that_freezes_holds_up_neither_events_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_program(MOSQUITTO, "mosquitto_passwd")
    monkeypatch.setenv("MQTT_PASSWORD", PASSWORD)
    open_table = find_sink("mqtt").open_table
    assert open_table is not None
    lines: list[str] = []
    context = SinkContext(Fraction(1), folder=tmp_path, name="x", live=True, report=lines.append)
    with Broker(tmp_path / "broker") as broker:
        table = {"host": "127.0.0.1", "port": broker.port, "user": USER, "password": "${MQTT_PASSWORD}"}
        inner = open_table(table, context)
        sink = ThreadedSink(inner, on_report=lines.append)
        sink.begin("door", None)
        wait(lambda: inner.status.reachable)  # type: ignore[attr-defined]
        assert broker.process is not None
        os.kill(broker.process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        for _ in range(30):
            sink.event("door", FINAL)
        sink.close()
        assert time.monotonic() - begun < settle_seconds()
        os.kill(broker.process.pid, signal.SIGCONT)
    assert [line.partition(": ")[2] for line in lines] == ["30 events wait in the spool; the next start sends them"]
