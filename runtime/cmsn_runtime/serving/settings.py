"""Where the page listens, and who may see it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from cmsn_runtime.checking import require
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.extras import require_library
from cmsn_runtime.secrets import Secret

_LEAST_TOKEN = 12  # characters; shorter ones can be guessed over the network


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The table [web] of a site file.

    host: address to listen on. port: 0 for any free one. token: what whoever looks at the page has to know; mandatory
    where host is not a loopback address. hosts: names under which the page may be asked for, besides localhost and the
    machine's own addresses; any other name is refused, since it may belong to a foreign site (DNS rebinding).
    """

    host: str = "127.0.0.1"
    port: int = 8750
    token: Secret | None = None
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(bool(self.host.strip()), "host", self.host, "an address, such as 127.0.0.1 or 0.0.0.0")
        require(0 <= self.port <= 65535, "port", self.port, "from 0 to 65535")
        for name in self.hosts:
            require(bool(name) and not set(name) & set("/:*@ "), "hosts", name, "names without port, such as door.lan")
        if self.token is None and not is_loopback(self.host):
            raise SettingsError(
                f"host is {self.host!r}, which other machines reach, and there is no token; "
                "set token, or use host 127.0.0.1"
            )
        if self.token is not None:
            _require_token(self.token.reveal())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of this machine under which the page may be asked for."""
        return self.hosts if _is_address(self.host) else (*self.hosts, self.host)


def require_web() -> None:
    """Raise MissingExtraError where what the page needs is not installed."""
    for module in ("starlette", "uvicorn", "prometheus_client"):
        require_library(module, extra="live", purpose="the page of live cameras")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _require_token(token: str) -> None:
    """The token itself is in no message."""
    if len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(
            f"token has {len(token)} characters; it must have at least {_LEAST_TOKEN}, "
            "printable ASCII without spaces, such as the output of: openssl rand -hex 16"
        )
