"""Where a broker is and what is sent to it: from a table of a site file, or an address on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from cmsn_runtime.checking import require
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.secrets import Secret
from cmsn_runtime.sinks.base import EventChoice
from cmsn_runtime.sinks.delivery.settings import given_secret, secret_of_environment, tls_context
from cmsn_runtime.sinks.kinds import SinkContext
from cmsn_runtime.structuring import structure

PASSWORD_VARIABLE = "CMSN_MQTT_PASSWORD"
_FORM = "mqtt://[USER@]HOST[:PORT][/TOPIC]"


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """A broker. port: by default 1883, or 8883 with tls. ca: PEM file of the authority that signed its certificate; by
    default those of the system. certificate, key: PEM files of this client's own. topic: begin of all topics.

    discovery: whether cameras are announced to Home Assistant, below discovery_prefix. events: `final` omits those that
    may still change. spool_megabytes: bound of what waits for the broker.
    """

    host: str
    port: int | None = None
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    user: str = ""
    password: Secret | None = None
    password_file: str = ""
    topic: str = "cmsn"
    discovery: bool = True
    discovery_prefix: str = "homeassistant"
    events: EventChoice = "all"
    spool_megabytes: float = 64.0

    def __post_init__(self) -> None:
        require(_is_host(self.host), "host", self.host, "the name or the address of a host, alone")
        require(self.port is None or 1 <= self.port <= 65535, "port", self.port, "from 1 to 65535")
        for name in ("topic", "discovery_prefix"):
            value = getattr(self, name)
            require(_is_topic(value), name, value, "parts joined by /, without +, # and $ at the begin")
        require(
            self.tls or not (self.ca or self.certificate or self.key),
            "tls",
            self.tls,
            "true where ca, certificate or key is given",
        )
        require(bool(self.certificate) or not self.key, "certificate", self.certificate, "given where key is")
        require(self.spool_megabytes > 0, "spool_megabytes", self.spool_megabytes, "above 0")
        given = self.password is not None or bool(self.password_file)
        require(bool(self.user) or not given, "user", self.user, "given where a password is")

    @property
    def name(self) -> str:
        """The broker's address, in public."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port_number}/{self.topic}"

    @property
    def port_number(self) -> int:
        return self.port or (8883 if self.tls else 1883)


def mqtt_table(table: Mapping[str, object], context: SinkContext) -> MqttSettings:
    """The settings in `[outputs.NAME]`, whose files can be read. Raises SettingsError."""
    settings = structure(table, MqttSettings, private=True)
    given_secret(settings.password, settings.password_file, context, field="password")
    if settings.tls:
        tls_context(settings.ca, settings.certificate, settings.key, context)
    return settings


def mqtt_address(address: str, context: SinkContext) -> MqttSettings:
    """mqtt://[USER@]HOST[:PORT][/TOPIC], mqtts:// for TLS; the password is in the environment. Raises SettingsError."""
    url = urlsplit(address)
    if url.password is not None:
        raise SettingsError(
            "--sink mqtt: the address holds a password, which every user of this machine could read; leave it out, and "
            f"set {PASSWORD_VARIABLE}, or {PASSWORD_VARIABLE}_FILE to the path of a file that has it"
        )
    try:
        port = url.port
    except ValueError:
        port = 0
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname or url.query or url.fragment or port == 0:
        raise SettingsError(f"--sink mqtt: {address!r} is not an address of a broker; give {_FORM}, mqtts:// for TLS")
    return MqttSettings(
        host=url.hostname,
        port=port,
        tls=url.scheme == "mqtts",
        user=unquote(url.username or ""),
        password=secret_of_environment(PASSWORD_VARIABLE) if url.username else None,
        topic=unquote(url.path).strip("/") or "cmsn",
        events=context.events,
    )


def _is_host(text: str) -> bool:
    """Whether text can be looked up as a host: the name may be wrong, but it does not break the look-up."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return bool(text) and not any(letter in text for letter in "/@?# \0")


def _is_topic(text: str) -> bool:
    return all(text.split("/")) and not text.startswith("$") and not any(letter in text for letter in "+#\0")
