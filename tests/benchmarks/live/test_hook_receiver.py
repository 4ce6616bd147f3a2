"""The receiver of webhooks that measurements and tests share."""

from __future__ import annotations

import socket

from cmsn_benchmarks.live.hook_receiver import HookReceiver


def test_a_request_whose_sender_is_killed_in_the_middle_is_none() -> None:
    with HookReceiver() as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)) as sender:
            sender.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(100) == b""
        assert not receiver.got
