"""Webhooks: signed, in order, retried until they are taken or refused, and nothing secret is shown."""

from __future__ import annotations

import base64
import json
import random
import sqlite3
import ssl
import threading
import time
from email.utils import formatdate
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from external import require_program
from site_context import site_context

from cmsn_benchmarks.live.broker import free_port, make_certificates, wait
from cmsn_benchmarks.live.hook_receiver import HookReceiver, Posted, Reply
from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.events import Event, EventKind, Proposal, StreamEvent
from cmsn_runtime.identity import Numbering
from cmsn_runtime.sinks.delivery.messages import Message
from cmsn_runtime.sinks.delivery.spool_database import SpoolDatabase
from cmsn_runtime.sinks.kinds import SinkContext, find_sink
from cmsn_runtime.sinks.webhook.receiver import _wait_seconds, signed_headers
from cmsn_runtime.sinks.webhook.sink import WebhookSink

KEY = b"a key of twenty-four byte"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


def opened(receiver: HookReceiver | str, folder: Path, lines: list[str] | None = None, **table: object) -> WebhookSink:
    url = receiver if isinstance(receiver, str) else f"{receiver.url}/hook"
    context = site_context(folder, lines)
    open_table = find_sink("webhook").open_table
    assert open_table is not None
    quick = {"first_retry_seconds": 0.02, "last_retry_seconds": 0.1}
    sink = open_table({"url": url, "secret": SECRET, **quick, **table}, context)
    assert isinstance(sink, WebhookSink)
    return sink


def event(number: int, kind: EventKind = "final", camera: str = "door") -> StreamEvent:
    numbering = Numbering(site="home", camera=camera, run=f"r{number}")
    return numbering.stamped(Event(kind, number, 1, Proposal(Fraction(1), Fraction(2), 0.5), Fraction(3)))


def actions(receiver: HookReceiver) -> list[int]:
    """The action of each event that was posted, once, in order."""
    return list(dict.fromkeys(int(json.loads(posted.body)["action"]) for posted in receiver.got))


def verified(posted: Posted, key: bytes) -> bool:
    """What the example in docs/outputs.md says."""
    text = (Path(__file__).parents[4] / "docs" / "outputs.md").read_text(encoding="utf-8")
    example: dict[str, Any] = {}
    exec("import base64" + text.partition("```python\nimport base64")[2].partition("```")[0], example)
    return bool(example["verified"](posted.headers, posted.body, key))


def test_events_are_posted_in_order_signed_and_identified_by_their_keys(tmp_path: Path) -> None:
    with HookReceiver() as receiver, opened(receiver, tmp_path) as sink:
        for number in range(20):
            sink.event("door.1", event(number, camera="door.1"))
        wait(lambda: sink.status.delivered == 20 and not sink.status.waiting)
        assert sink.status.reachable and not sink.status.refused
    assert actions(receiver) == list(range(20)) and len(receiver.got) == 20
    posted = receiver.got[3]
    assert posted.path == "/hook" and posted.headers["content-type"] == "application/json"
    assert posted.headers["webhook-id"] == posted.headers["idempotency-key"] == "home/door%2E1/r3/1"
    assert json.loads(posted.body)["key"] == "home/door.1/r3/1"
    assert all(verified(each, KEY) for each in receiver.got) and not verified(posted, b"another")


def test_the_signature_is_that_of_the_specifications_example() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(
        Message("msg_p5jXN8AQM9LWM0D4loKWxJek", "", "final", b'{"test": 2432232314}'), key, 1614265330
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_is_not_base64_is_used_as_it_is_and_without_one_nothing_is_signed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("plain text\n")
    with HookReceiver() as receiver:
        for number, table in enumerate([{"secret": "plain text"}, {"secret_file": "secret"}, {}]):
            open_table = find_sink("webhook").open_table
            assert open_table is not None
            context = SinkContext(Fraction(1), folder=tmp_path, site_folder=tmp_path, name="x", live=True)
            with open_table({"url": receiver.url, **table}, context) as sink:
                sink.event("door", event(number))
        wait(lambda: len(receiver.got) == 3)
    assert [verified(each, b"plain text") for each in receiver.got[:2]] == [True, True]
    assert "webhook-signature" not in receiver.got[2].headers


@pytest.mark.parametrize("status", [500, 503, 429, 408, 425, 302])
def test_an_event_is_posted_again_until_it_is_taken(tmp_path: Path, status: int) -> None:
    with HookReceiver(lambda posted: Reply(status, {"Location": "/elsewhere"})) as receiver:
        lines: list[str] = []
        with opened(receiver, tmp_path, lines) as sink:
            sink.event("door", event(1))
            sink.event("door", event(2))
            wait(lambda: len(receiver.got) >= 3)
            assert not sink.status.reachable and sink.status.waiting == 2
            receiver.reply = lambda posted: Reply()
            wait(lambda: sink.status.delivered == 2)
    assert [line.partition(": ")[2][:12] for line in lines] == [f"answered {status}", "is back; 2 e"]
    assert actions(receiver) == [1, 2] and {posted.path for posted in receiver.got} == {"/hook"}
    assert len({posted.headers["webhook-id"] for posted in receiver.got if b'"action": 1' in posted.body}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_one_that_is_refused_is_left_out_counted_and_reported_once(tmp_path: Path, status: int) -> None:
    def reply(posted: Posted) -> Reply:
        return Reply(status if json.loads(posted.body)["action"] in (1, 2) else 200, body=b"x" * 200_000)

    lines: list[str] = []
    with HookReceiver(reply) as receiver, opened(receiver, tmp_path, lines) as sink:
        for number in range(4):
            sink.event("door", event(number))
        wait(lambda: not sink.status.waiting)
        assert (sink.status.delivered, sink.status.refused) == (2, 2)
        assert len(receiver.got) == 4
    assert len(lines) == 1 and f"answered {status}: the event is left out" in lines[0]


def test_one_that_is_gone_ends_the_output_and_its_events_are_kept(tmp_path: Path) -> None:
    with HookReceiver(lambda posted: Reply(410)) as receiver:
        sink = opened(receiver, tmp_path)
        sink.event("door", event(1))
        wait(lambda: sink._sender.error)
        with pytest.raises(OutputError, match="answered 410"):
            sink.event("door", event(2))
        sink.close()
        receiver.reply = lambda posted: Reply()
        with opened(receiver, tmp_path) as sink:
            wait(lambda: sink.status.delivered == 1)


def test_that_it_is_gone_is_raised_at_the_end_if_no_event_follows(tmp_path: Path) -> None:
    with HookReceiver(lambda posted: Reply(410)) as receiver:
        sink = opened(receiver, tmp_path)
        sink.event("door", event(1))
        with pytest.raises(OutputError, match="answered 410"):
            sink.close()
        sink.close()


def test_a_receiver_may_say_how_long_to_wait(tmp_path: Path) -> None:
    times: list[float] = []

    def reply(posted: Posted) -> Reply:
        times.append(time.monotonic())
        return Reply(503, {"Retry-After": "1"}) if len(times) == 1 else Reply()

    with HookReceiver(reply) as receiver, opened(receiver, tmp_path) as sink:
        sink.event("door", event(1))
        wait(lambda: sink.status.delivered == 1)
    assert times[1] - times[0] >= 1


def test_a_wait_is_a_number_or_a_date_within_bounds() -> None:
    assert _wait_seconds("7") == 7 and _wait_seconds("9999999999") == 3600 and _wait_seconds("-5") is None
    later = _wait_seconds(formatdate(time.time() + 100, usegmt=True))
    assert later is not None and 90 < later <= 100
    assert _wait_seconds(formatdate(time.time() - 100, usegmt=True)) == 0
    assert _wait_seconds("soon") is None and _wait_seconds(None) is None and _wait_seconds("²") is None


def test_one_that_fails_half_the_time_gets_everything_and_doubles_share_their_identifier(tmp_path: Path) -> None:
    chance = random.Random(1)

    def reply(posted: Posted) -> Reply:
        number = chance.random()
        return Reply(503) if number < 0.25 else Reply(hang_up=True) if number < 0.5 else Reply()

    with HookReceiver(reply) as receiver, opened(receiver, tmp_path) as sink:
        for number in range(60):
            sink.event("door", event(number))
        wait(lambda: sink.status.delivered == 60, 60)
    taken = [posted.headers["webhook-id"] for posted in receiver.accepted]
    assert set(taken) == {f"home/door/r{number}/1" for number in range(60)} and len(taken) > 60


def test_a_disk_that_fails_does_not_repeat_what_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove_until = SpoolDatabase.remove_until

    def fails(database: SpoolDatabase, number: int) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(SpoolDatabase, "remove_until", fails)
    with HookReceiver() as receiver, opened(receiver, tmp_path) as sink:
        for number in range(3):
            sink.event("door", event(number))
        wait(lambda: sink.status.delivered >= 3)
        assert actions(receiver) == [0, 1, 2] and sink.status.waiting == 3
        monkeypatch.setattr(SpoolDatabase, "remove_until", remove_until)
        sink.event("door", event(3))
        wait(lambda: not sink.status.waiting)
        assert len(receiver.got) == 4


def test_one_that_hangs_blocks_no_hook_and_ends_in_time(tmp_path: Path) -> None:
    released = threading.Event()

    def reply(posted: Posted) -> Reply:
        released.wait(30)
        return Reply()

    lines: list[str] = []
    with HookReceiver(reply) as receiver:
        begun = time.monotonic()
        with opened(receiver, tmp_path, lines) as sink:
            for number in range(50):
                sink.event("door", event(number))
        assert time.monotonic() - begun < 10
        assert lines == [f"{receiver.url}: 50 events wait in the spool; the next start sends them"]
        released.set()
        sink._sender._thread.join(20)
        assert len(lines) == 1  # a sender that comes back to a closed spool says nothing
        with opened(receiver, tmp_path) as sink:
            wait(lambda: sink.status.delivered == 50)


def test_a_receiver_that_is_away_is_waited_for_through_restarts(tmp_path: Path) -> None:
    lines: list[str] = []
    for number in (1, 2):
        with opened(f"http://127.0.0.1:{free_port()}/hook", tmp_path, lines) as sink:
            sink.event("door", event(number))
            wait(lambda: not sink.status.reachable)
    assert sum("cannot be reached (Connection refused)" in line for line in lines) == 2
    with HookReceiver() as receiver, opened(receiver, tmp_path) as sink:
        wait(lambda: sink.status.delivered == 2)
        assert actions(receiver) == [1, 2]


def test_tls_checks_the_server(tmp_path: Path) -> None:
    require_program("openssl")
    make_certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    lines: list[str] = []
    with HookReceiver(tls=tls) as receiver:
        with opened(receiver, tmp_path, lines) as sink:
            sink.event("door", event(1))
            wait(lambda: lines)
        assert "certificate" in lines[0] and not receiver.got
        with opened(receiver, tmp_path, ca="ca.pem") as sink:
            wait(lambda: sink.status.delivered == 1)


def test_a_login_in_the_address_becomes_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "p@ss/word")
    with HookReceiver() as receiver:
        url = f"http://me:${{HOOK_PASSWORD}}@127.0.0.1:{receiver.port}/x?token=abc"
        with opened(url, tmp_path) as sink:
            sink.event("door", event(1))
            wait(lambda: sink.status.delivered == 1)
    assert receiver.got[0].path == "/x?token=abc"
    assert base64.b64decode(receiver.got[0].headers["authorization"].split()[1]) == b"me:p@ss/word"


@pytest.mark.parametrize(
    "url", ["http://u:c4nary-1@127.0.0.1:{port}/c4nary-2/x?token=c4nary-3", "http://127.0.0.1:{port}/c4nary-4"]
)
@pytest.mark.parametrize("status", [500, 404, 410, 0])
def test_secrets_are_shown_nowhere(tmp_path: Path, url: str, status: int) -> None:
    lines: list[str] = []
    with HookReceiver(lambda posted: Reply(status, body=b"c4nary")) as receiver:
        port = receiver.port if status else free_port()
        sink = opened(url.format(port=port), tmp_path, lines, secret="c4nary-secret-5", last_retry_seconds=0.02)
        sink.event("door", event(1))
        wait(lambda: lines or sink._sender.error)
        shown = [repr(sink.status), sink.name]
        try:
            sink.close()
        except OutputError as error:
            shown.append(str(error))
    assert lines or len(shown) == 3
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(b"c4nary" in path.read_bytes() or "c4nary" in str(path) for path in files)
    assert not any("c4nary" in line for line in [*lines, *shown])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "it has no address: give url = "),
        ({"url": "ftp://c4nary/x"}, "url is not an address of a web server"),
        ({"url": "https://c4nary nary/x"}, "url is not an address of a web server"),
        ({"url": "http://[c4nary"}, "url is not an address of a web server"),
        ({"url": "https://a/b", "secret": "whsec_c4nary!"}, "the rest is not base64"),
        ({"url": "https://a/b", "url_file": "x"}, "url and url_file are both given"),
        ({"url": "https://a/b", "ca": "missing"}, "ca is '"),
        ({"url": "https://a/b", "timeout_seconds": 0}, "timeout_seconds is 0.0; it must be above 0"),
        ({"url": "https://a/b", "last_retry_seconds": 0.5}, "last_retry_seconds is 0.5; it must be at least"),
        ({"url": "https://a/${C4NARY_NOT_SET}"}, "${C4NARY_NOT_SET} is not set"),
    ],
)
def test_a_table_is_checked_without_connecting(table: dict[str, object], message: str, tmp_path: Path) -> None:
    check = find_sink("webhook").check_table
    assert check is not None
    with pytest.raises(SettingsError) as caught:
        check(table, SinkContext(Fraction(1), folder=tmp_path, site_folder=tmp_path))
    assert message in str(caught.value) and "c4nary" not in str(caught.value)


def test_on_a_command_line_the_secret_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMSN_WEBHOOK_SECRET", SECRET)
    with HookReceiver() as receiver:
        with find_sink("webhook").open(f"{receiver.url}/hook", SinkContext(Fraction(1))) as sink:
            sink.event("door", event(1))
        assert len(receiver.got) == 1 and verified(receiver.got[0], KEY)


@pytest.mark.parametrize("address", ["https://a:c4nary@b/x", "https://b/x?token=c4nary"])
def test_an_address_with_secrets_is_refused_on_a_command_line(address: str) -> None:
    with pytest.raises(SettingsError, match="holds a login or a query") as caught:
        find_sink("webhook").open(address, SinkContext(Fraction(1)))
    assert "c4nary" not in str(caught.value)
