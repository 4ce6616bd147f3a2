"""Decides which requests are answered: by the name they ask for, and by the token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from cmsn_runtime.secrets import Secret

if TYPE_CHECKING:
    from starlette.datastructures import Headers

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_COOKIE_SECONDS = 30 * 24 * 3600


class Access:
    """Who may see the page.

    token: none where everybody may who reaches it. port: cookies of one machine are shared by all its ports, so it is
    part of the cookie's name. hosts: names that may be asked for, besides those of this machine's loopback.

    The cookie holds a value derived from the token: the token itself is not stored in a browser, and after a restart
    the page goes on without a new login.
    """

    def __init__(self, token: Secret | None, *, port: int, hosts: Iterable[str] = ()) -> None:
        self.needs_token = token is not None
        self._token = b"" if token is None else token.reveal().encode()
        self._session = hmac.new(self._token, b"cmsn page", hashlib.sha256).hexdigest()
        self._cookie = f"cmsn-{port}"
        self._hosts = _LOCAL_NAMES | {name.lower().rstrip(".") for name in hosts}

    def is_known(self, host: str, server: str) -> bool:
        """Whether a Host header names this machine. server: the address at which the request arrived."""
        name = host_name(host)
        return name in self._hosts or (bool(name) and name == server.lower())

    def is_trusted(self, headers: Headers) -> bool:
        """Whether a request carries the token, as a bearer or by its cookie."""
        if not self.needs_token:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(bearer.strip()):
            return True
        return hmac.compare_digest(self._cookie_of(headers).encode(), self._session.encode())

    def is_token(self, given: str) -> bool:
        """Whether that is the token; takes as long for any that is not."""
        return self.needs_token and hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    @property
    def cookie(self) -> str:
        """The header that has a browser keep the session."""
        return f"{self._cookie}={self._session}; {_COOKIE_RULES}; Max-Age={_COOKIE_SECONDS}"

    @property
    def no_cookie(self) -> str:
        """The header that has a browser forget it."""
        return f"{self._cookie}=; {_COOKIE_RULES}; Max-Age=0"

    def _cookie_of(self, headers: Headers) -> str:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self._cookie].value if self._cookie in cookies else ""


_COOKIE_RULES = "Path=/; HttpOnly; SameSite=Strict"


def host_name(host: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
