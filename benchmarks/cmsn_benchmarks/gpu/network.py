"""The network that is measured: the paper's, untrained, as a bundle for every stack."""

from __future__ import annotations

from pathlib import Path

from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.errors import SettingsError


def network_bundle(folder: Path, *, width: float) -> Path:
    """A bundle of the network at a width, made in `folder` unless it exists. Its parity is not measured.

    Raises SettingsError where it has another width, or must be made and torch or onnx is not installed.
    """
    if folder.is_dir():
        found = read_manifest(folder).network.width
        if found != width:
            raise SettingsError(f"{folder.name} has width {found:g}; {width:g} is to be measured; name another folder")
        return folder
    try:
        import torch

        from cmsn_benchmarks.speed.extraction import paper_config
        from cmsn_export.bundle_folder import write_bundle
        from cmsn_export.bundling import describe
        from cmsn_export.graphs import build_graphs
        from cmsn_export.variants import unmeasured
        from cmsn_training.models.cmsn import CMSN
    except ImportError as error:
        raise SettingsError(
            f"the network cannot be made here ({error}); make its bundle where torch and onnx are installed: "
            "python -m cmsn_benchmarks.gpu --bundle FOLDER.cmsn --parts ''; then name that folder here"
        ) from error
    torch.manual_seed(0)
    config = paper_config(width)
    model = CMSN(config).eval()
    variants = unmeasured(build_graphs(model, window=config.grid.window))
    write_bundle(folder, describe(model, config, {}, variants), variants)
    return folder
