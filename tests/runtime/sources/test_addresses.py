"""No user name, password or query leaves in the name of a source, and different cameras have different names."""

from __future__ import annotations

import pytest

from cmsn_runtime.sources.addresses import public_name, redacted


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("clips/a.mp4", "clips/a.mp4"),
        ("what?#1.mp4", "what?#1.mp4"),
        ("/dev/video0", "/dev/video0"),
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("rtsp://guard:pw@cam:554/live", "rtsp://***@cam:554/live"),
        ("rtsp://guard@cam/live", "rtsp://***@cam/live"),
        ("rtsp://guard:p@w@cam/live", "rtsp://***@cam/live"),
        ("rtsp://[fe80::1]:554/live", "rtsp://[fe80::1]:554/live"),
        ("rtsp://guard:pw@[fe80::1]:554/live", "rtsp://***@[fe80::1]:554/live"),
        ("rtsp://[::1", "rtsp://[::1"),
        ("http://cdn/small@2x.m3u8", "http://cdn/small@2x.m3u8"),
        ("http://relay/rtsp://guard:pw@cam/live", "http://relay/***@cam/live"),
        ("rtsp://cam/user=admin&password=pw&channel=1", "rtsp://cam/user=***&password=***&channel=1"),
        ("rtsp://cam/user=admin_password=pw_channel=1_stream=0", "rtsp://cam/user=***_password=***_channel=1_stream=0"),
        ("srt://cam:9000?passphrase=pw", "srt://cam:9000"),
        ("srt://cam:9000?passphrase=p@w", "srt://cam:9000"),
        ("srt://guard:pw@cam:9000?passphrase=p@w", "srt://***@cam:9000"),
    ],
)
def test_an_address_is_shown_without_user_password_and_query(address: str, name: str) -> None:
    assert public_name(address) == name


@pytest.mark.parametrize(
    "password", ["pl/ain", "pl#ain", "pl?ain", "pl@ain", "p/l#a?i@n", "1/2pl@ain", "7?plain", "%40"]
)
@pytest.mark.parametrize("scheme", ["rtsp", "http", "srt", "async:http"])
def test_no_part_of_a_password_with_odd_characters_is_shown(scheme: str, password: str) -> None:
    name = public_name(f"{scheme}://guard:{password}@camera/door")
    assert name.startswith(f"{scheme}://***@camera/door")
    assert "guard" not in name and not any(part in name for part in ("ain", "pl", "%40", "1/2", "7?"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("http://cam/video?channel=1", "http://cam/video?channel=2"),
        ("http://cam/video?channel=1&password=pw", "http://cam/video?channel=2&password=pw"),
        ("http://cam/video?token=a", "http://cam/video?token=b"),
        ("http://cam/video#1", "http://cam/video#2"),
        ("rtsp://cam1:554/live@main", "rtsp://cam2:554/live@main"),
        ("rtsp://cam/password=p/1", "rtsp://cam/password=p/2"),
    ],
)
def test_addresses_that_differ_only_in_what_is_hidden_have_different_names(first: str, second: str) -> None:
    assert public_name(first) != public_name(second)
    assert public_name(first) == public_name(first)


def test_the_tag_of_a_query_does_not_depend_on_the_password() -> None:
    names = {public_name(f"http://cam/video?user=u&password={password}&channel=1") for password in ("a", "b")}
    assert len(names) == 1


def test_text_that_repeats_addresses_is_redacted() -> None:
    address = "rtsp://guard:p w@cam/live?token=t"
    said = redacted(f"refused: '{address}', then http://other/a.ts?key=k was not found", address)
    assert said.startswith(f"refused: '{public_name(address)}', then http://other/a.ts#")
    assert not any(secret in said for secret in ("guard", "p w", "token", "key"))


@pytest.mark.parametrize(
    "address", ["rtsp://a:b@host/live?token=x", "rtsp://host/live?channel=1", "rtsp://a:b@host/live"]
)
def test_a_sentence_keeps_its_punctuation_and_a_public_name_its_tag(address: str) -> None:
    public = public_name(address)
    for given in (address, public):
        for sentence in (f"{given}: cannot be opened", f"cannot open ({given}), or {given}."):
            for known in (address, "rtsp://another"):
                assert redacted(sentence, known) == sentence.replace(given, public)
