"""Which library runs a bundle: the one that was asked for, or the best that works on this machine."""

from __future__ import annotations

import warnings

from cmsn_runtime.backends.base import GraphBackend
from cmsn_runtime.backends.registry import AUTO, Networks, backend_names, find_backend
from cmsn_runtime.errors import BackendError, BackendWarning, MissingExtraError, SettingsError


def open_backend(name: str, networks: Networks) -> GraphBackend:
    """Open the networks with a library: a name of `backend_names()`, or `auto`.

    `auto` takes TensorRT where engines are named or were built by this user, else ONNX Runtime on the GPU where the
    package with CUDA is installed, else on the CPU. A BackendWarning says why a better one cannot be used.
    Raises SettingsError for an unknown name; MissingExtraError and BackendError where the library is missing, refuses
    the graphs, or the graphs differ from what the manifest declares.
    """
    backend = _open_best(networks) if name == AUTO else find_backend(name).open(networks)
    manifest = networks.manifest
    announced = (manifest.input_shape, manifest.network.feature_channels, manifest.proposals.roi_bins)
    found = (backend.input_shape, backend.feature_channels, backend.roi_bins)
    if found != announced:
        backend.close()
        raise BackendError(
            f"its graphs have input shape, feature channels and RoI bins {found}; its manifest declares {announced}; "
            "export the model again"
        )
    return backend


def _open_best(networks: Networks) -> GraphBackend:
    kinds = {name: find_backend(name) for name in backend_names()}
    ranked = sorted((kind.rank, name) for name, kind in kinds.items() if kind.rank is not None)
    tried = [name for _, name in ranked if kinds[name].is_there(networks)]
    for name in tried[:-1]:
        try:
            return kinds[name].open(networks)
        except (BackendError, MissingExtraError) as error:
            warnings.warn(
                f"the backend {name} cannot be used ({error}); the next best one takes over",
                BackendWarning,
                stacklevel=4,
            )
    if not tried:
        raise SettingsError("no backend is available; its entry points are out of date, so install cmsn again")
    return kinds[tried[-1]].open(networks)
