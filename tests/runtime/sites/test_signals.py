"""Requests by signals: taken by the main loop, and a second one to end does not wait for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from cmsn_runtime.sites.signals import Signals

HANGS = """
import signal, sys, time
from cmsn_runtime.sites.signals import Signals
with Signals():
    print("ready", flush=True)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.1)
"""


@pytest.mark.usefixtures("signals_as_at_a_terminal")
def test_signals_are_requests_in_the_order_they_come() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        assert signals.next(0) is None
        for number in (signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert [signals.next(1), signals.next(1)] == [signal.SIGHUP, signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_second_signal_ends_a_program_that_hangs(number: signal.Signals) -> None:
    command = [sys.executable, "-c", HANGS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        time.sleep(0.4)  # `timeout` and a terminal send one request twice
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(10) == -number
