"""MQTT with a real broker: nothing is lost, states are right, and Home Assistant is informed."""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from socket import AF_INET, SHUT_RDWR, SOCK_STREAM, fromfd

import pytest
from external import require_program
from site_context import site_context

from cmsn_benchmarks.live.broker import MOSQUITTO, PASSWORD, USER, Broker, Reader, wait
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import Event, EventKind, Notice, NoticeKind, Proposal, StreamEvent, WallClock
from cmsn_runtime.identity import Numbering
from cmsn_runtime.sinks.base import Ending
from cmsn_runtime.sinks.kinds import SinkContext, find_sink
from cmsn_runtime.sinks.mqtt.sink import MqttSink
from cmsn_runtime.sinks.mqtt.topics import level

EVENTS = "cmsn/home/cameras/door/events"
AVAILABLE = "cmsn/home/cameras/door/available"
ACTION = "cmsn/home/cameras/door/action"
SITE = "cmsn/home/available"


@pytest.fixture
def broker(_parts: None, tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    require_program(MOSQUITTO, "mosquitto_passwd", "openssl")
    monkeypatch.setenv("MQTT_PASSWORD", PASSWORD)


def opened(broker: Broker, folder: Path, lines: list[str] | None = None, **table: object) -> MqttSink:
    context = site_context(folder, lines)
    login = {"host": "127.0.0.1", "port": broker.port, "user": USER, "password": "${MQTT_PASSWORD}"}
    open_table = find_sink("mqtt").open_table
    assert open_table is not None
    sink = open_table({**login, **table}, context)
    assert isinstance(sink, MqttSink)
    return sink


class Camera:
    """Numbers the events of a camera as a run does."""

    def __init__(self, name: str = "door") -> None:
        self._numbering = Numbering(site="home", camera=name, run="r")

    def event(self, action: int, kind: EventKind = "final") -> StreamEvent:
        clock = WallClock(Fraction(time.time() - 2), "arrival")
        event = Event(kind, action, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3))
        return self._numbering.stamped(event, clock)

    def notice(self, kind: NoticeKind) -> StreamEvent:
        return self._numbering.stamped(Notice(kind, Fraction(3), "a reason"))


def test_events_arrive_in_order_and_leave_the_spool(broker: Broker, tmp_path: Path) -> None:
    with Reader(broker) as reader:
        camera = Camera()
        with opened(broker, tmp_path) as sink:
            sink.begin("door", None)
            for number in range(50):
                sink.event("door", camera.event(number))
            wait(lambda: sink.status.delivered == 50 and not sink.status.waiting)
            assert sink.status.reachable
        wait(lambda: len(reader.payloads(EVENTS)) == 50)
    found = [json.loads(payload) for payload in reader.payloads(EVENTS)]
    assert [each["seq"] for each in found] == list(range(1, 51))
    assert found[0]["key"] == "home/door/r/1" and found[0]["event_type"] == found[0]["kind"] == "final"


def test_states_follow_the_camera(broker: Broker, tmp_path: Path) -> None:
    with Reader(broker) as reader:
        camera = Camera()
        with opened(broker, tmp_path) as sink:
            wait(lambda: sink.status.reachable)  # before that, only the newest state of all waits
            sink.begin("door", None)
            sink.advance("door", Fraction(1))
            sink.event("door", camera.event(1, "provisional"))
            sink.event("door", camera.event(2, "provisional"))
            sink.event("door", camera.event(1, "withdrawn"))
            sink.event("door", camera.event(2, "final"))
            sink.event("door", camera.event(3, "provisional"))
            sink.event("door", camera.notice("source_lost"))
            sink.event("door", camera.notice("source_back"))
            sink.advance("door", Fraction(2))
            sink.end("door", Ending(None))
            wait(lambda: reader.payloads(AVAILABLE)[-1:] == [b"offline"] and len(reader.payloads(AVAILABLE)) >= 5)
        wait(lambda: reader.payloads(SITE)[-1:] == [b"offline"])
        assert _changes(reader.payloads(AVAILABLE)) == [b"offline", b"online", b"offline", b"online", b"offline"]
        assert _changes(reader.payloads(ACTION)) == [b"OFF", b"ON", b"OFF", b"ON", b"OFF"]
        assert _changes(reader.payloads(SITE)) == [b"online", b"offline"]
        lag = json.loads(reader.payloads("cmsn/home/cameras/door/health")[0])["lag"]
        assert 0 <= lag < 60
    with Reader(broker) as late:
        wait(lambda: len(late.got) >= 4)
        assert {topic for topic, _, retained in late.got if retained} >= {SITE, AVAILABLE, ACTION}
        assert not late.payloads(EVENTS)


def _changes(payloads: list[bytes]) -> list[bytes]:
    """Connections repeat the newest state."""
    return [payload for place, payload in enumerate(payloads) if place == 0 or payload != payloads[place - 1]]


def test_home_assistant_is_informed_at_each_connection_and_each_of_its_starts(broker: Broker, tmp_path: Path) -> None:
    with Reader(broker) as reader, opened(broker, tmp_path) as sink:
        sink.begin("door/süd", None)

        def announced() -> list[tuple[str, bytes]]:
            return [(topic, body) for topic, body, _ in reader.got if topic.startswith("homeassistant/device/")]

        wait(lambda: len(announced()) == 1)
        reader.client.publish("homeassistant/status", b"online", qos=1)
        wait(lambda: len(announced()) == 2)
        broker.stop()
        broker.start()
        wait(lambda: len(announced()) >= 3)
        topic, body = announced()[-1]
        payload = json.loads(body)
    assert topic == f"homeassistant/device/{payload['device']['identifiers'][0]}/config"
    assert all(letter.isascii() and (letter.isalnum() or letter == "_") for letter in topic.split("/")[2])
    assert payload["device"]["name"] == "door/süd" and payload["origin"]["name"] == "cmsn"
    entities = payload["components"]
    assert {name: entity["platform"] for name, entity in entities.items()} == {
        "action": "binary_sensor",
        "event": "event",
        "lag": "sensor",
    }
    assert len({entity["unique_id"] for entity in entities.values()}) == 3
    base = "cmsn/home/cameras/door%2Fs%C3%BCd"
    assert (
        entities["action"]["state_topic"] == f"{base}/action" and entities["event"]["state_topic"] == f"{base}/events"
    )
    assert "source_lost" in entities["event"]["event_types"]
    assert payload["availability"] == [{"topic": SITE}, {"topic": f"{base}/available"}]


def test_without_discovery_nothing_is_announced(broker: Broker, tmp_path: Path) -> None:
    with Reader(broker) as reader:
        with opened(broker, tmp_path, discovery=False, topic="a/b", events="final") as sink:
            sink.begin("door", None)
            sink.event("door", Camera().event(1, "provisional"))
            sink.event("door", Camera().event(1))
            wait(lambda: sink.status.delivered == 1)
        wait(lambda: ("a/b/home/available", b"offline", False) in reader.got)
        assert not any(topic.startswith("homeassistant") for topic, *_ in reader.got)
        assert len(reader.payloads("a/b/home/cameras/door/events")) == 1


def test_while_the_broker_is_away_events_wait_also_through_a_restart(tmp_path: Path) -> None:
    broker, camera, lines = Broker(tmp_path / "broker"), Camera(), list[str]()
    for start in (0, 10):
        begun = time.monotonic()
        with opened(broker, tmp_path, lines) as sink:
            sink.begin("door", None)
            for number in range(start, start + 10):
                sink.event("door", camera.event(number))
            wait(lambda: sink._sender._outage.lasts)
            assert not sink.status.reachable
        assert time.monotonic() - begun < 10
    assert sum("cannot be reached (Connection refused); events wait" in line for line in lines) == 2
    assert "20 events wait in the spool; the next start sends them" in lines[-1]
    with broker, Reader(broker) as reader, opened(broker, tmp_path, lines) as sink:
        wait(lambda: sink.status.delivered == 20)
        wait(lambda: len(reader.payloads(EVENTS)) == 20)
        assert [json.loads(payload)["seq"] for payload in reader.payloads(EVENTS)] == list(range(1, 21))


def test_an_outage_is_reported_once_and_its_end_too(broker: Broker, tmp_path: Path) -> None:
    lines: list[str] = []
    with opened(broker, tmp_path, lines) as sink, Reader(broker) as reader:
        wait(lambda: sink.status.reachable)
        broker.stop()
        wait(lambda: any("the connection broke" in line for line in lines))
        sink.begin("door", None)
        sink.event("door", Camera().event(1))
        wait(lambda: any("refused" in line for line in lines))
        broker.start()
        wait(lambda: sink.status.delivered == 1)
        assert [line.rpartition(": ")[2] for line in lines if "is back;" in line] == ["is back; 1 events waited for it"]
        assert len(lines) == 3
        wait(lambda: len(reader.payloads(EVENTS)) == 1)


def test_a_wrong_password_is_reported_and_shown_nowhere(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "c4nary-wrong")
    lines: list[str] = []
    with opened(broker, tmp_path, lines) as sink:
        sink.begin("door", None)
        sink.event("door", Camera().event(1))
        wait(lambda: lines)
        assert "refuses this client (Not authorized)" in lines[0]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and broker.folder not in path.parents]
    assert files and not any(b"c4nary" in path.read_bytes() or "c4nary" in str(path) for path in files)
    assert not any("c4nary" in line for line in [*lines, repr(sink._settings), repr(sink.status)])


@pytest.mark.parametrize("tls", ["server", "both"])
def test_tls_with_an_authority_and_a_certificate_of_its_own(tls: str, tmp_path: Path) -> None:
    with Broker(tmp_path / "broker", tls=tls) as broker, Reader(broker) as reader:
        files: dict[str, object] = {"ca": str(broker.folder / "ca.pem")}
        if tls == "both":
            files |= {
                name: str(broker.folder / f"client.{end}") for name, end in (("certificate", "pem"), ("key", "key"))
            }
        with opened(broker, tmp_path, None, tls=True, **files) as sink:
            sink.begin("door", None)
            sink.event("door", Camera().event(1))
            wait(lambda: sink.status.delivered == 1)
        wait(lambda: len(reader.payloads(EVENTS)) == 1)


# paho leaves the socket of a failed handshake to the garbage collector, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_unknown_authority_is_reported(tmp_path: Path) -> None:
    lines: list[str] = []
    with Broker(tmp_path / "broker", tls="server") as broker, opened(broker, tmp_path, lines, tls=True) as sink:
        wait(lambda: lines)
        assert "cannot be reached (" in lines[0] and "certificate" in lines[0]
    wait(lambda: sink._sender._connection._client._thread is None)
    gc.collect()


def test_a_crash_shows_the_site_as_gone(broker: Broker, tmp_path: Path) -> None:
    with Reader(broker) as reader, opened(broker, tmp_path) as sink:
        wait(lambda: reader.payloads(SITE) == [b"online"])
        socket = sink._sender._connection._client.socket()
        assert socket is not None
        with contextlib.closing(fromfd(socket.fileno(), AF_INET, SOCK_STREAM)) as twin:
            twin.shutdown(SHUT_RDWR)
        wait(lambda: reader.payloads(SITE) == [b"online", b"offline", b"online"])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"host": "a b"}, "host is 'a b'; it must be the name"),
        ({"host": "user@broker"}, "host is 'user@broker'"),
        ({"topic": "a/#"}, "topic is 'a/#'"),
        ({"port": 0}, "port is 0; it must be from 1 to 65535"),
        ({"ca": "ca.pem", "tls": False}, "tls is False; it must be true where ca"),
        ({"ca": "missing.pem", "tls": True}, "missing.pem', which cannot be read"),
        ({"key": "k.pem", "tls": True}, "certificate is ''; it must be given where key is"),
        ({"user": ""}, "user is ''; it must be given where a password is"),
        ({"password_file": "x"}, "password and password_file are both given"),
        ({"pasword": "c4nary"}, "holds 'pasword', which is unknown"),
    ],
)
def test_a_table_is_checked_without_connecting(table: dict[str, object], message: str, tmp_path: Path) -> None:
    check = find_sink("mqtt").check_table
    assert check is not None
    full = {"host": "broker", "user": USER, "password": "${MQTT_PASSWORD}", **table}
    with pytest.raises(SettingsError) as caught:
        check(full, SinkContext(Fraction(1), folder=tmp_path))
    assert message in str(caught.value) and "c4nary" not in str(caught.value)


def test_the_password_of_a_table_may_be_in_a_file(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    table = {"host": "127.0.0.1", "port": broker.port, "user": USER, "password_file": "secret"}
    open_table = find_sink("mqtt").open_table
    assert open_table is not None
    with open_table(
        table, SinkContext(Fraction(1), folder=tmp_path, site_folder=tmp_path, name="x", live=True)
    ) as sink:
        assert isinstance(sink, MqttSink)
        wait(lambda: sink.status.reachable)


def test_on_a_command_line_the_password_is_in_the_environment(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMSN_MQTT_PASSWORD", PASSWORD)
    context = SinkContext(Fraction(1), site="home")
    with Reader(broker) as reader:
        with find_sink("mqtt").open(f"mqtt://{USER}@127.0.0.1:{broker.port}/mine/too", context) as sink:
            sink.begin("door", None)
            sink.event("door", Camera().event(1))
        wait(lambda: len(reader.payloads("mine/too/home/cameras/door/events")) == 1)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mqtt://a:c4nary@broker/x", "the address holds a password"),
        ("mqtt://broker:99999", "is not an address of a broker"),
        ("http://broker", "is not an address of a broker"),
        ("broker", "is not an address of a broker"),
    ],
)
def test_an_address_that_will_not_do_is_refused(address: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        find_sink("mqtt").open(address, SinkContext(Fraction(1)))
    assert message in str(caught.value) and "c4nary" not in str(caught.value)


def test_names_are_levels_that_differ() -> None:
    names = ["a/b", "a_b", "a%2Fb", "a+b", "a#b", "a b", "", "é", "\0", "$a"]
    levels = [level(name) for name in names]
    assert len(set(levels)) == len(names) and not any(set("/+#\0") & set(each) for each in levels)
