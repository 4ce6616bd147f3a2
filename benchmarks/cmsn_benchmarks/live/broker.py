"""A real MQTT broker on loopback, mosquitto, that is started, ended and started again; and a reader of what it has."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or "mosquitto"
USER, PASSWORD = "cmsn", "c4nary/p@ss word"


def wait(condition: Callable[[], object], seconds: float = 30) -> None:
    """Until something is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain")
        time.sleep(0.02)


def free_port() -> int:
    """A port of loopback that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificates(folder: Path) -> None:
    """ca.pem, server.pem and server.key for loopback, client.pem and client.key."""
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    _openssl(folder, f"req -x509 {new_key} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
    for name in ("server", "client"):
        _openssl(folder, f"req {new_key} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        _openssl(folder, f"x509 -req -in {name}.csr {signed} -out {name}.pem")


def _openssl(folder: Path, line: str) -> None:
    subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)


class Broker:
    """mosquitto with a password and what it keeps in a folder. tls: "server", or "both" where clients need one too.

    process: while it runs.
    """

    def __init__(self, folder: Path, *, tls: str = "") -> None:
        self.folder, self.port, self.tls = folder, free_port(), tls
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        subprocess.run(["mosquitto_passwd", "-b", "-c", folder / "passwords", USER, PASSWORD], check=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {folder / 'passwords'}",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            "user root",  # who runs as root would otherwise become another, who cannot write here
        ]
        if tls:
            make_certificates(folder)
            lines += [
                f"cafile {folder / 'ca.pem'}",
                f"certfile {folder / 'server.pem'}",
                f"keyfile {folder / 'server.key'}",
            ]
        if tls == "both":
            lines += ["require_certificate true"]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log)
        wait(self._listens)

    def stop(self) -> None:
        """End it; it saves what it has."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def _listens(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Reader:
    """Subscribes to everything, with a session that outlives the broker's ends. got: (topic, payload, retained)."""

    def __init__(self, broker: Broker) -> None:
        from paho.mqtt.client import Client, MQTTMessage
        from paho.mqtt.enums import CallbackAPIVersion

        self.got: list[tuple[str, bytes, bool]] = []
        self._subscribed = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, "reader", clean_session=False)
        client.username_pw_set(USER, PASSWORD)
        if broker.tls:
            own = broker.tls == "both"
            certificate, key = (str(broker.folder / f"client.{end}") if own else None for end in ("pem", "key"))
            client.tls_set(str(broker.folder / "ca.pem"), certificate, key)
        client.reconnect_delay_set(1, 1)

        def connected(*_: Any) -> None:
            client.subscribe("#", qos=1)

        def received(_: Client, __: object, message: MQTTMessage) -> None:
            self.got.append((message.topic, bytes(message.payload), message.retain))

        client.on_connect = connected
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = received
        client.connect_async("127.0.0.1", broker.port, keepalive=5)
        client.loop_start()
        self.client = client
        wait(self._subscribed.is_set)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def payloads(self, topic: str) -> list[bytes]:
        """All payloads of a topic, in order."""
        return [payload for found, payload, _ in self.got if found == topic]
