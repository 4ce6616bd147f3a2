"""What systemd is notified of, by its own protocol."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from cmsn_runtime.sites.systemd import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_a_datagram_goes_to_the_socket_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    address = f"\0cmsn-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        notify("READY=1", "STATUS=cameras: 2 running")
        assert receiver.recv(4096) == b"READY=1\nSTATUS=cameras: 2 running"


def test_nothing_happens_without_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
