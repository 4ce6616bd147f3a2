"""Optional libraries are looked for without importing them, and a missing one is reported with what installs it."""

from __future__ import annotations

import sys

import pytest

from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.extras import require_library


def test_a_missing_library_is_reported_with_its_package_and_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(MissingExtraError, match=r"an MQTT output needs paho-mqtt, .*: pip install 'cmsn\[live\]'"):
        require_library("paho", package="paho-mqtt", extra="live", purpose="an MQTT output")


def test_an_installed_library_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    require_library("wave", extra="live", purpose="a test")
    assert "wave" not in sys.modules
