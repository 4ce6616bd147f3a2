"""Opens the socket on which the page is served."""

from __future__ import annotations

import os
import socket

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.serving.settings import WebSettings

_SEND_BYTES = 2**18  # that the system keeps for a browser: a reader that is too slow is to be noticed
_DEAD_MILLISECONDS = 20_000  # without an acknowledgement, after which a browser's connection is given up


def listening(settings: WebSettings) -> socket.socket:
    """A socket that listens. Raises SettingsError where it cannot.

    Connections that it takes are given up when their browser is silent for long.
    """
    place = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"the page cannot listen on {place}: {error}; set another host in [web]") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_MILLISECONDS)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(
            f"the page cannot listen on {place}: {reason}; end the program that uses it, or set another port in [web]"
        ) from error
    return listener
