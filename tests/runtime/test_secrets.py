"""Secrets: removed from every text in whatever form they appear there, while ordinary words stay."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from cmsn_runtime import secrets
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.reporting import report
from cmsn_runtime.secrets import Address, Secret, expanded, expanded_text, from_file, remember, scrubbed

CANARY = 'C4n@ry/"p&ss" wörd\\'


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Secrets of other tests are neither removed here nor are these kept."""
    monkeypatch.setattr(secrets, "_known", set())
    yield


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        quote(CANARY, safe="").lower().replace("c4n", "C4n"),
        quote(CANARY, safe="@&"),
        quote_plus(CANARY),
        json.dumps(CANARY)[1:-1],
        json.dumps(CANARY, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        repr(CANARY)[1:-1],
        ascii(CANARY)[1:-1],
        html.escape(CANARY),
        b64encode(CANARY.encode()).decode(),
    ],
)
def test_a_secret_is_removed_in_every_form(form: str) -> None:
    remember(CANARY)
    assert scrubbed(f"cannot open {form}: refused") == "cannot open ***: refused"


def test_a_secret_that_is_given_percent_encoded_is_removed_decoded_too() -> None:
    remember("p%40ss%2fw0rd")
    assert scrubbed("p@ss/w0rd p%40ss%2Fw0rd p%2540ss%252fw0rd") == "*** *** ***"


def test_parts_of_a_url_are_secrets_of_their_own() -> None:
    Secret("rtsp://guard:s3cr3t%40pw@camera/user=guard&password=inpath1&channel=1?token=inquery12&x=short")
    login = b64encode(b"guard:s3cr3t@pw").decode()
    text = f"s3cr3t@pw | inpath1 | inquery12 | Authorization: Basic {login} | short | guard | camera | channel"
    assert scrubbed(text) == "*** | *** | *** | Authorization: Basic *** | short | guard | camera | channel"


def test_a_password_that_is_also_an_ordinary_word_leaves_longer_words_alone() -> None:
    remember("pass")
    text = "passive sinks pass; compass, bypass: rtsp://guard:pass@camera, %20pass, pass%40x, \\npass"
    assert scrubbed(text) == "passive sinks ***; compass, bypass: rtsp://guard:***@camera, %20***, ***%40x, \\n***"


def test_a_password_of_few_digits_leaves_numbers_alone() -> None:
    remember("1234")
    assert scrubbed("12345 frames, 0.1234567; rtsp://a:1234@camera") == "12345 frames, 0.1234567; rtsp://a:***@camera"


def test_a_very_short_password_is_removed_where_passwords_stand() -> None:
    remember("on")
    assert (
        scrubbed("on the camera: rtsp://a:on@b/?password=on&x=one")
        == "on the camera: rtsp://a:***@b/?password=***&x=one"
    )


def test_the_longer_of_two_secrets_goes_first() -> None:
    remember("abcdefgh")
    remember("abcdefghij")
    assert scrubbed("abcdefghij") == "***"


def test_an_empty_secret_removes_nothing() -> None:
    remember("")
    assert scrubbed("text") == "text"


def test_a_secret_is_not_shown_by_itself() -> None:
    secret = Secret("s3cr3t-text")
    assert (str(secret), repr(secret), f"{secret}") == ("Secret(***)",) * 3
    assert secret.reveal() == "s3cr3t-text"
    assert secret == Secret("s3cr3t-text") and secret != Secret("other-text")


def test_variables_in_the_login_of_a_url_are_encoded_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "gu@rd")
    monkeypatch.setenv("PASSWORD", "p@ss/w:rd")
    monkeypatch.setenv("STREAM", "live/1")
    url = expanded_text("rtsp://${NAME}:${PASSWORD}@camera/${STREAM}")
    assert url == "rtsp://gu%40rd:p%40ss%2Fw%3Ard@camera/live/1"
    assert expanded_text("${PASSWORD}") == "p@ss/w:rd"


def test_an_address_that_was_given_openly_is_shown_without_its_login() -> None:
    Address("rtsp://guard:s3cr3t-pw@camera/live")
    assert (
        scrubbed("rtsp://camera/live rtsp://guard:s3cr3t-pw@camera/live") == "rtsp://camera/live rtsp://***@camera/live"
    )


def test_a_variable_that_is_not_set_is_named_and_nothing_else_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMSN_NOT_SET", raising=False)
    with pytest.raises(SettingsError) as caught:
        expanded("rtsp://guard:s3cr3t@camera/${CMSN_NOT_SET}")
    assert "${CMSN_NOT_SET} is not set" in str(caught.value) and "s3cr3t" not in str(caught.value)


def test_a_secret_from_a_file_lacks_the_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cr3t \n")
    assert from_file(tmp_path / "password").reveal() == "s3cr3t "
    with pytest.raises(SettingsError, match=r"nothing: the secret in it cannot be read \(No such file or directory\)"):
        from_file(tmp_path / "nothing")


def test_what_is_reported_is_scrubbed(capsys: pytest.CaptureFixture[str]) -> None:
    remember("two  words\there")
    report("refused: two  words\there")
    assert capsys.readouterr().err == "cmsn: error: refused: ***\n"
