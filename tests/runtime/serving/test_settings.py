"""Who may see the page: what is refused before anything listens."""

from __future__ import annotations

import pytest

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.secrets import Secret
from cmsn_runtime.serving.settings import WebSettings, is_loopback

TOKEN = "0123456789abcdef"


def test_the_page_listens_on_loopback_by_default() -> None:
    assert is_loopback(WebSettings().host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "door.lan"])
def test_without_a_token_only_loopback_is_allowed(host: str) -> None:
    with pytest.raises(SettingsError, match="no token; set token"):
        WebSettings(host=host)
    assert WebSettings(host=host, token=Secret(TOKEN)).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_in_any_form_needs_no_token(host: str) -> None:
    assert WebSettings(host=host).token is None


@pytest.mark.parametrize("token", ["", "shorty", "spaces in a token", "tökentökentöken", "line\nbreak0123"])
def test_a_token_that_is_weak_or_unsendable_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(SettingsError, match="openssl rand") as caught:
        WebSettings(token=Secret(token))
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a/b", "a:80", "*", "*.lan", "user@host"])
def test_hosts_are_names_without_port_or_wildcards(name: str) -> None:
    with pytest.raises(SettingsError, match="hosts"):
        WebSettings(hosts=(name,))


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(SettingsError, match="port"):
        WebSettings(port=port)


def test_the_settings_can_be_printed_without_their_token() -> None:
    assert TOKEN not in repr(WebSettings(token=Secret(TOKEN)))


def test_a_host_given_by_its_name_may_be_asked_for_by_it() -> None:
    assert WebSettings(host="localhost", hosts=("a",)).names == ("a", "localhost")
    assert WebSettings(host="0.0.0.0", hosts=("a",), token=Secret(TOKEN)).names == ("a",)
