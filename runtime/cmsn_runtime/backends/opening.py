"""Which library runs a bundle: the one that was asked for, or the best that works on this machine."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import NamedTuple

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.registry import AUTO, Networks, backend_names, find_backend
from cmsn_runtime.errors import BackendError, BackendWarning, MissingExtraError, SettingsError

AUTO_VARIABLE = "CMSN_AUTO_BACKENDS"


class Opened(NamedTuple):
    """A backend. name: in the registry. why: it was taken by `auto`, in words; empty where it was named."""

    backend: GraphBackend
    name: str
    why: str = ""


def open_backend(name: str, networks: Networks) -> Opened:
    """Open the networks with a library: a name of `backend_names()`, or `auto`.

    `auto` takes TensorRT where engines are named or were built by this user, else ONNX Runtime on the GPU where the
    package with CUDA is installed, else the CPU: OpenVINO in FP32 where it is installed, else ONNX Runtime. The names
    in CMSN_AUTO_BACKENDS, separated by commas, are tried instead. A BackendWarning says why a better one cannot be
    used.
    Raises SettingsError for an unknown name; MissingExtraError and BackendError where the library is missing, refuses
    the graphs, or the graphs differ from what the manifest declares.
    """
    opened = _open_best(networks) if name == AUTO else Opened(find_backend(name).open(networks), name)
    backend = opened.backend
    manifest = networks.manifest
    announced = (manifest.input_shape, manifest.network.feature_channels, manifest.proposals.roi_bins)
    found = (backend.input_shape, backend.feature_channels, backend.roi_bins)
    if found != announced:
        backend.close()
        raise BackendError(
            f"its graphs have input shape, feature channels and RoI bins {found}; its manifest declares {announced}; "
            "export the model again"
        )
    return opened


def _open_best(networks: Networks) -> Opened:
    kinds = {name: find_backend(name) for name in _named() or backend_names()}
    ranked = sorted((kind.rank, name) for name, kind in kinds.items() if kind.rank is not None)
    better: dict[str, str] = {}  # name -> why it is not taken
    tried = []
    for name in _named() or [name for _, name in ranked]:
        if absence := kinds[name].absence(networks):
            better[name] = absence
        else:
            tried.append(name)
    for name in tried[:-1]:
        try:
            return Opened(kinds[name].open(networks), name, _why(name, better))
        except (BackendError, MissingExtraError) as error:
            better[name] = "see the warning"
            warnings.warn(
                f"the backend {name} cannot be used ({error}); the next best one takes over",
                BackendWarning,
                stacklevel=4,
            )
    if not tried:
        raise SettingsError(
            f"none of the backends in {AUTO_VARIABLE} ({', '.join(_named())}) is available; name another one"
            if _named()
            else "no backend is available; its entry points are out of date, so install cmsn again"
        )
    name = tried[-1]
    return Opened(kinds[name].open(networks), name, _why(name, better))


def _why(taken: str, better: Mapping[str, str]) -> str:
    """What `auto` took, and what stood against each one that would have come first."""
    return "; ".join([f"auto: {taken}", *[f"not {name}: {reason}" for name, reason in better.items()]])


def _named() -> list[str]:
    """The names that the user lets `auto` try, in their order; none for all that have a rank."""
    return [name.strip() for name in os.environ.get(AUTO_VARIABLE, "").split(",") if name.strip()]
