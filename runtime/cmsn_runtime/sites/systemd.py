"""Reports to systemd how the program is doing: its protocol is one datagram each (man sd_notify)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*fields: str) -> None:
    """Send fields such as "READY=1"; nothing happens where no systemd waits for them."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.sendall("\n".join(fields).encode())
