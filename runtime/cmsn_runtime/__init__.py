"""The lean runtime: from a camera to ranked action proposals. Imports neither torch nor onnx."""

from __future__ import annotations

# The command line handles signals as soon as this file has been read: it does not wait for `typing`, which takes longer
# than everything before it. Type checkers know the name.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from cmsn_runtime.bundle import Bundle, open_bundle
    from cmsn_runtime.errors import CmsnError
    from cmsn_runtime.events import Event, Notice, Proposal, StageStep
    from cmsn_runtime.pictures.frame import Frame
    from cmsn_runtime.sources.opening import open_source
    from cmsn_runtime.stages import Stage
    from cmsn_runtime.streams.stream import Stream

__all__ = [
    "Bundle",
    "CmsnError",
    "Event",
    "Frame",
    "Notice",
    "Proposal",
    "Stage",
    "StageStep",
    "Stream",
    "open_bundle",
    "open_source",
]

_HOME = {
    "Bundle": "bundle",
    "CmsnError": "errors",
    "Event": "events",
    "Frame": "pictures.frame",
    "Proposal": "events",
    "Notice": "events",
    "Stage": "stages",
    "StageStep": "events",
    "Stream": "streams.stream",
    "open_bundle": "bundle",
    "open_source": "sources.opening",
}


def __getattr__(name: str) -> object:
    """Import a name on first access: `cmsn --help` must not wait for numba and ONNX Runtime."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
