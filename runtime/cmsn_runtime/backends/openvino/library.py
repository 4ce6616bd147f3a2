"""Imports OpenVINO without what it reports to its maker."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, cast

from cmsn_runtime.errors import BackendError, MissingExtraError

_TELEMETRY = "openvino_telemetry"
CPU = "CPU"


def is_installed() -> bool:
    """Whether OpenVINO is there, found without importing it."""
    return importlib.util.find_spec("openvino") is not None


@cache
def load_openvino() -> Any:
    """The library. Raises MissingExtraError where it is not installed."""
    try:
        with _without_telemetry():
            return import_module("openvino")
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino", "the backend openvino") from error


def load_operators() -> Any:
    """What models are written with. Raises as `load_openvino`."""
    return load_openvino().opset13


@cache
def core() -> Any:
    """The process's only ov::Core: what it loads for a device is shared."""
    return load_openvino().Core()


def version() -> str:
    """OpenVINO's version, without the commit that it was built from."""
    return str(load_openvino().__version__).split("-")[0]


def is_device(name: str) -> bool:
    """Whether this machine has a device of that name: CPU, GPU, GPU.1, NPU ..."""
    # Where there are several GPUs, OpenVINO lists GPU.0 and GPU.1, and GPU is the first.
    return any(name in (device, device.removesuffix(".0")) for device in core().available_devices)


def require_device(name: str) -> None:
    """Raise BackendError where this machine has no device of that name."""
    if not is_device(name):
        raise BackendError(
            f"OpenVINO {version()} finds no device {name!r} on this machine, only "
            f"{', '.join(core().available_devices)}; name one of these, or install the driver of the device"
        )


def processor(device: str = CPU) -> str:
    """A device as OpenVINO calls it."""
    return str(core().get_property(device, "FULL_DEVICE_NAME"))


def capabilities(device: str = CPU) -> frozenset[str]:
    """The precisions that a device has: FP32, BF16, FP16, INT8 ..."""
    return frozenset(core().get_property(device, "OPTIMIZATION_CAPABILITIES"))


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """`import openvino` sends an event, with an identity that it leaves in the home folder, unless it lacks a package.

    Its own stub takes over then, for as long as the process lives. https://docs.openvino.ai/2025/about-openvino/additional-resources/telemetry.html
    """
    modules = cast(dict[str, Any], sys.modules)
    absent = object()
    before = modules.get(_TELEMETRY, absent)
    modules[_TELEMETRY] = None  # its import raises ImportError
    try:
        yield
    finally:
        del modules[_TELEMETRY]
        if before is not absent:
            modules[_TELEMETRY] = before
