"""Who is answered: the token, the cookie, the name that is asked for, and what the headers forbid."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from served_page import STEP_SECONDS, TOKEN, FakeFleet, Served, event, frame, notice, saving_clips, served, status
from waiting import wait_for

from cmsn_runtime.secrets import Secret
from cmsn_runtime.serving.access import host_name
from cmsn_runtime.serving.server import start_web
from cmsn_runtime.serving.settings import WebSettings
from cmsn_runtime.serving.sink import PageSink


@pytest.fixture(scope="module")
def private() -> Iterator[Served]:
    """A page with a token, and a picture on it."""
    with served(status("secret lab"), token=TOKEN, hosts=("door.lan",)) as page:
        page.sink.picture("secret lab", frame())
        yield page


PRIVATE = (
    "/",
    "/events",
    "/cameras/secret%20lab.jpg",
    "/clips/a.clip.mp4",
    "/metrics",
    "/api/cameras",
    "/nothing",
    "/logout",
)


def logged_in(page: Served) -> str:
    """The cookie that the form gives."""
    answer = page.ask("/login", method="POST", body=f"token={TOKEN}")
    assert answer.status == 303
    return answer.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize("path", PRIVATE)
def test_without_the_token_nothing_is_answered(private: Served, path: str) -> None:
    answer = private.ask(path)
    wrong = private.ask(path, Authorization=f"Bearer {TOKEN}x", Cookie=f"cmsn-{private.port}={TOKEN}")
    assert answer.status == wrong.status == 401
    assert b"secret lab" not in answer.body + wrong.body


@pytest.mark.parametrize("path", ["/", "/cameras/secret%20lab.jpg", "/metrics", "/api/cameras"])
def test_scripts_give_the_token_as_a_bearer(private: Served, path: str) -> None:
    assert private.ask(path, Authorization=f"Bearer {TOKEN}").status == 200


def test_the_form_gives_a_cookie_that_holds_no_token_and_no_script_can_read(private: Served) -> None:
    answer = private.ask("/login", method="POST", body=f"token={TOKEN}")
    cookie = answer.headers["set-cookie"]
    assert answer.headers["location"] == "./"
    assert private.ask("/api/cameras", Cookie=cookie.partition(";")[0]).status == 200
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie


def test_the_cookie_of_a_page_opens_it_after_a_restart_too() -> None:
    with served(token=TOKEN) as page:
        value = logged_in(page).partition("=")[2]
    with served(token=TOKEN) as page:
        assert page.ask("/", Cookie=f"other=1; cmsn-{page.port}={value}").status == 200
    with served(token=TOKEN[::-1]) as page:
        assert page.ask("/", Cookie=f"cmsn-{page.port}={value}").status == 401


@pytest.mark.parametrize("body", ["token=wrong", "", "token=", "other=1", f"token={TOKEN}" + "x" * 5000])
def test_a_wrong_token_is_asked_for_again(private: Served, body: str) -> None:
    answer = private.ask("/login", method="POST", body=body)
    assert (answer.status, answer.headers["location"]) == (303, "./?wrong")
    assert "set-cookie" not in answer.headers


def test_logging_out_forgets_the_cookie(private: Served) -> None:
    answer = private.ask("/logout", method="POST", body="", Cookie=logged_in(private))
    assert answer.status == 303 and "Max-Age=0" in answer.headers["set-cookie"]


def test_the_form_works_without_the_token_and_shows_no_camera(private: Served) -> None:
    form = private.ask("/")
    assert form.status == 401 and b'type="password"' in form.body and b"secret lab" not in form.body
    for name in ("base.css", "login.css", "login.js", "icon.svg"):
        assert private.ask(f"/static/{name}").status == 200


def test_health_answers_strangers_with_one_word(private: Served) -> None:
    assert private.ask("/healthz").json == {"ok": True}
    wait_for(lambda: "secret lab" in private.ask("/healthz", Authorization=f"bearer {TOKEN}").json["cameras"])


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "", "10.1.2.3", "0.0.0.0", "[::2]"]
)
def test_a_foreign_name_is_refused_even_with_the_token(private: Served, host: str) -> None:
    for path in ("/", "/healthz", "/api/cameras", "/static/base.css"):
        answer = private.ask(path, Host=host, Authorization=f"Bearer {TOKEN}")
        assert answer.status == 400 and b"[web]" in answer.body


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8750", "door.lan:8750", "Door.Lan."]
)
def test_this_machine_and_the_names_of_the_settings_are_answered(private: Served, host: str) -> None:
    assert private.ask("/", Host=host, Authorization=f"Bearer {TOKEN}").status == 200


def test_the_address_at_which_a_request_arrives_is_no_foreign_name() -> None:
    settings = WebSettings(host="0.0.0.0", port=0, token=Secret(TOKEN))
    sink = PageSink(step_seconds=STEP_SECONDS)
    with start_web(settings, FakeFleet(), sink) as web:
        page = Served(web, sink, FakeFleet())
        found = [page.ask("/healthz", address="127.0.0.2", Host=host).status for host in ("127.0.0.2:1", "127.0.0.3")]
    assert found == [200, 400]


@pytest.mark.parametrize(
    ("host", "name"), [("a.b:1", "a.b"), ("A.", "a"), ("[::1]:8", "::1"), ("[fe80::1]", "fe80::1"), (":80", "")]
)
def test_a_host_header_is_reduced_to_its_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing", "/static/page.js", "/static/../server.py"])
def test_every_answer_forbids_what_browsers_might_do_with_it(private: Served, path: str) -> None:
    headers = private.ask(path, Authorization=f"Bearer {TOKEN}").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_a_password_that_a_camera_repeats_is_on_no_page_and_in_no_metric() -> None:
    secret = Secret("canary-p4ssw0rd")
    with served(status(state="lost", reason=f"401 for {secret.reveal()}")) as page:
        page.sink.event("door", notice("source_lost", f"401 for {secret.reveal()}"))
        wait_for(lambda: bool(page.ask("/api/cameras").json))
        shown = b"".join(page.ask(path).body for path in ("/api/cameras", "/healthz", "/metrics"))
        shown += json.dumps(page.sink.board.snapshot()).encode()
    assert b"401 for ***" in shown and b"canary" not in shown


def test_the_token_is_in_no_answer_and_in_no_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = []
    with served(status(), token=TOKEN, outputs=saving_clips(tmp_path)) as page:
        page.sink.picture("door", frame())
        page.sink.event("door", event())
        page.sink.event("door", notice("source_lost", "gone"))
        cookie = logged_in(page)
        for path in ("/", "/metrics", "/healthz", "/api/cameras", "/static/page.js", "/login", "/clips/x", "/?t=1"):
            answers.append(page.ask(path, Cookie=cookie))
            answers.append(page.ask(path, Authorization=f"Bearer {TOKEN}"))
            answers.append(page.ask(path))
    shown = b"".join(str(answer.headers).encode() + answer.body for answer in answers)
    captured = capfd.readouterr()
    assert b"door" in shown and TOKEN.encode() not in shown
    assert TOKEN not in caplog.text + captured.out + captured.err
