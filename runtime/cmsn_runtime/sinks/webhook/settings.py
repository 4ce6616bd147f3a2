"""Where events are posted: from a table of a site file, or an address on the command line."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from cmsn_runtime.checking import require
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.secrets import Address, Secret
from cmsn_runtime.sinks.base import EventChoice
from cmsn_runtime.sinks.delivery.settings import given_secret, secret_of_environment, tls_context
from cmsn_runtime.sinks.kinds import SinkContext
from cmsn_runtime.structuring import structure

SECRET_VARIABLE = "CMSN_WEBHOOK_SECRET"
_ENCODED = "whsec_"  # begins a secret that is written in base64, by Standard Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """A receiver of events. url: http:// or https://; its path and query may be secret. secret: signs what is sent; one
    that begins with whsec_ is base64. ca: PEM file of the authority that signed the server's certificate; by default
    those of the system. events: `final` omits those that may still change.

    timeout_seconds: for an answer. first_retry_seconds, last_retry_seconds: between attempts, doubled from the first to
    the last, unless the receiver states how long. spool_megabytes: bound of what waits for the receiver.
    """

    url: Address | None = None
    url_file: str = ""
    secret: Secret | None = None
    secret_file: str = ""
    ca: str = ""
    events: EventChoice = "all"
    timeout_seconds: float = 10.0
    first_retry_seconds: float = 1.0
    last_retry_seconds: float = 60.0
    spool_megabytes: float = 64.0

    def __post_init__(self) -> None:
        if self.url is None and not self.url_file:
            raise SettingsError('it has no address: give url = "https://..." or url_file = "PATH"')
        for name in ("timeout_seconds", "first_retry_seconds", "spool_megabytes"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        last = self.last_retry_seconds
        require(last >= self.first_retry_seconds, "last_retry_seconds", last, "at least first_retry_seconds")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post and how to sign it. name: the server, in public. key: none where nothing is signed."""

    url: Secret
    name: str
    key: bytes | None


def webhook_table(table: Mapping[str, object], context: SinkContext) -> WebhookSettings:
    """The settings in `[outputs.NAME]`, whose files can be read. Raises SettingsError."""
    settings = structure(table, WebhookSettings, private=True)
    target_of(settings, context)
    if settings.ca:
        tls_context(settings.ca, "", "", context)
    return settings


def webhook_address(address: str, context: SinkContext) -> WebhookSettings:
    """An address on the command line, which may hold no secret; that of signatures is in the environment.

    Raises SettingsError.
    """
    parts = _parts(address)
    if parts is None:
        raise SettingsError("--sink webhook: that is not an address of a web server; give https://HOST/PATH")
    if parts.username or parts.password or parts.query:
        raise SettingsError(
            "--sink webhook: the address holds a login or a query, which every user of this machine could read; "
            'give it in a site file, as url = "https://HOST/${NAME}" or url_file'
        )
    return WebhookSettings(url=Address(address), secret=secret_of_environment(SECRET_VARIABLE), events=context.events)


def target_of(settings: WebhookSettings, context: SinkContext) -> Target:
    """Raises SettingsError, which shows neither the address nor the secret."""
    url = given_secret(settings.url, settings.url_file, context, field="url")
    assert url is not None
    parts = _parts(url.reveal())
    if parts is None:
        raise SettingsError("url is not an address of a web server; give https://HOST/PATH")
    secret = given_secret(settings.secret, settings.secret_file, context, field="secret")
    host = parts.netloc.rpartition("@")[2]
    return Target(url, f"{parts.scheme}://{host}", None if secret is None else _key(secret))


def _parts(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if valid and address.isprintable() and " " not in address else None


def _key(secret: Secret) -> bytes:
    text = secret.reveal()
    if not text.startswith(_ENCODED):
        return text.encode("utf-8", "surrogateescape")
    try:
        return b64decode(text.removeprefix(_ENCODED), validate=True)
    except binascii.Error:
        raise SettingsError(f"secret begins with {_ENCODED}, but the rest is not base64; copy it again") from None
