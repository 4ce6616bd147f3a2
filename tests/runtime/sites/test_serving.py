"""The main loop of `cmsn serve`: what systemd is notified of while cameras are looked after, and when they are not."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from cmsn_runtime.live.status import CameraStatus
from cmsn_runtime.sites import serving
from cmsn_runtime.sites.lock import locked_folder
from cmsn_runtime.sites.service import IDLE_SECONDS, Service
from cmsn_runtime.sites.signals import Signals


class Idle:
    """A service whose cameras were looked after so long ago."""

    running = True

    def __init__(self, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.revived = 0

    def statuses(self) -> Sequence[CameraStatus]:
        return []

    def revive(self) -> None:
        self.revived += 1


class Scripted:
    """Signals that come in this order."""

    def __init__(self, *numbers: signal.Signals | None) -> None:
        self._numbers = list(numbers)

    def next(self, seconds: float) -> signal.Signals | None:
        return self._numbers.pop(0)


@pytest.mark.parametrize(
    ("idle_seconds", "expected"), [(0.1, ["WATCHDOG=1\nSTATUS=cameras: none"] * 2), (IDLE_SECONDS + 1, [])]
)
def test_the_watchdog_hears_of_cameras_only_while_they_are_looked_after(
    monkeypatch: pytest.MonkeyPatch, idle_seconds: float, expected: list[str]
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(serving, "notify", lambda *fields: sent.append("\n".join(fields)))
    service = Idle(idle_seconds)
    signals = Scripted(None, None, signal.SIGTERM)
    asked = serving._until_asked(cast("Service", service), cast("Signals", signals))
    assert (asked, sent, service.revived) == (signal.SIGTERM, expected, 2)


def test_it_ends_where_the_cameras_have_ended() -> None:
    service = Idle(0.0)
    service.running = False
    assert serving._until_asked(cast("Service", service), cast("Signals", Scripted())) is None


def test_the_state_folder_is_private(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
