"""What runs the networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend, ExtractorState
from cmsn_runtime.errors import BackendError, SettingsError

if TYPE_CHECKING:
    from cmsn_runtime.manifest import Manifest

__all__ = ["UNKNOWN_LENGTH", "Backend", "BackendKind", "ExtractorState", "open_backend"]

BackendKind = Literal["auto", "onnxruntime"]


def open_backend(
    kind: BackendKind, graphs: Mapping[str, bytes], manifest: Manifest, *, threads: int | None = None
) -> Backend:
    """Open the graphs of a bundle with a library; `auto` takes the best that is here.

    Raises SettingsError for an unknown kind, BackendError where the library refuses the graphs or they are not what
    the manifest says.
    """
    if kind not in get_args(BackendKind):
        raise SettingsError(f"backend is {kind!r}; it must be one of {', '.join(get_args(BackendKind))}")
    from cmsn_runtime.backends.ort import OnnxRuntimeBackend  # here: loading the library takes a while

    states = [(state.name, state.shape) for state in manifest.states]
    backend = OnnxRuntimeBackend(graphs, states, threads=threads)
    announced = (manifest.input_shape, manifest.network.feature_channels, manifest.proposals.roi_bins)
    found = (backend.input_shape, backend.feature_channels, backend.roi_bins)
    if found != announced:
        backend.close()
        raise BackendError(
            f"its graphs have input shape, feature channels and RoI bins {found}; its manifest says {announced}; "
            "export the model again"
        )
    return backend
