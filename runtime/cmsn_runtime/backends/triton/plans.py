"""The engines of this machine as a server's plans."""

from __future__ import annotations

from pathlib import Path

from cmsn_runtime.backends.engine_cache import graphs_folder
from cmsn_runtime.backends.tensorrt.engine_files import read_engine
from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.manifest.contents import GRAPH_NAMES


def plans_of(bundle: Path, engines: Path | None) -> dict[str, bytes]:
    """Network -> plan, as `cmsn build` made them; engines: their folder, by default the user's own builds.

    A server loads only those of its own TensorRT and GPU: build them in its container. Raises BackendError.
    """
    folder = engines or graphs_folder(read_manifest(bundle))
    command = f"cmsn build {bundle}"
    return {part: read_engine(folder, part, command=command).plan for part in GRAPH_NAMES}
