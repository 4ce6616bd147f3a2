"""Backends by name, and which one `auto` takes."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.onnxruntime.opening import CPU
from cmsn_runtime.backends.registry import BackendKind, Networks, backend_names, find_backend
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.errors import BackendError, BackendWarning, SettingsError

SHIPPED = ["onnxruntime", "onnxruntime-int8", "ort-cuda", "ort-tensorrt", "tensorrt"]
SHIPPED += ["openvino", "openvino-bf16", "openvino-fp16", "openvino-int8"]


def test_every_shipped_backend_is_found_by_its_name() -> None:
    assert set(SHIPPED) <= set(backend_names())
    assert all(isinstance(find_backend(name), BackendKind) for name in SHIPPED)


def test_an_unknown_backend_is_refused_with_the_known_names(tiny_bundle: Path) -> None:
    with pytest.raises(SettingsError, match=r"the backend is 'nonsense'; it must be one of .*onnxruntime"):
        open_bundle(tiny_bundle, backend="nonsense")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("onnxruntime:GPU", "the backend is 'onnxruntime:GPU'; nothing may follow onnxruntime; write onnxruntime"),
        ("openvino:", "the backend is 'openvino:'; after the colon comes a device of OpenVINO's"),
        ("nonsense:GPU", "the backend is 'nonsense'; it must be one of"),
    ],
)
def test_what_follows_a_colon_is_refused_where_it_means_nothing(name: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        find_backend(name)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> dict[str, BackendKind]:
    """Backends in place of the installed ones."""
    kinds: dict[str, BackendKind] = {}
    monkeypatch.delenv("CMSN_AUTO_BACKENDS")
    monkeypatch.setattr("cmsn_runtime.backends.opening.backend_names", lambda: sorted(kinds))
    monkeypatch.setattr("cmsn_runtime.backends.opening.find_backend", kinds.__getitem__)
    return kinds


def broken(networks: Networks) -> GraphBackend:
    raise BackendError("no such device")


def test_auto_takes_the_best_installed_backend(tiny_bundle: Path, plugged: dict[str, BackendKind]) -> None:
    plugged["absent"] = BackendKind(open=broken, absence=lambda networks: "it is not installed", rank=1)
    plugged["ours"] = BackendKind(open=CPU.open, absence=lambda networks: "", rank=2)
    plugged["later"] = BackendKind(open=broken, absence=lambda networks: "", rank=3)
    plugged["by-name"] = BackendKind(open=broken, absence=lambda networks: "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_bundle(tiny_bundle) as bundle:
            assert "CPU" in bundle.backend.name
            assert bundle.networks == f"{bundle.backend.name} (auto: ours; not absent: it is not installed)"


def test_a_backend_that_was_named_needs_no_reason(tiny_bundle: Path) -> None:
    with open_bundle(tiny_bundle, backend="onnxruntime") as bundle:
        assert bundle.networks == bundle.backend.name


def test_auto_falls_back_to_the_next_backend_with_a_warning(tiny_bundle: Path, plugged: dict[str, BackendKind]) -> None:
    plugged["first"] = BackendKind(open=broken, absence=lambda networks: "", rank=1)
    plugged["second"] = BackendKind(open=CPU.open, absence=lambda networks: "", rank=2)
    with (
        pytest.warns(BackendWarning, match=r"the backend first cannot be used \(no such device\)"),
        open_bundle(tiny_bundle) as bundle,
    ):
        assert "CPU" in bundle.backend.name
    assert bundle.why == "auto: second; not first: see the warning"


def test_auto_tries_the_names_of_the_user_in_their_order(
    tiny_bundle: Path, plugged: dict[str, BackendKind], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged["best"] = BackendKind(open=broken, absence=lambda networks: "", rank=1)
    plugged["by-name"] = BackendKind(open=CPU.open, absence=lambda networks: "")
    plugged["later"] = BackendKind(open=broken, absence=lambda networks: "", rank=2)
    monkeypatch.setenv("CMSN_AUTO_BACKENDS", "by-name, later")
    with open_bundle(tiny_bundle) as bundle:
        assert "CPU" in bundle.backend.name


@pytest.mark.parametrize(("names", "reason"), [("nonsense", "must be one of"), ("ort-cuda", "none of the backends in")])
def test_names_that_auto_cannot_try_are_refused(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, names: str, reason: str
) -> None:
    monkeypatch.setenv("CMSN_AUTO_BACKENDS", names)
    with pytest.raises(SettingsError, match=reason):
        open_bundle(tiny_bundle)
