"""Writes a model repository for Triton from a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from cmsn_runtime.backends.triton.models import ServingSettings, configurations, model_name
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.files import written_to

_VERSION = "1"


def write_repository(bundle: Path, target: Path, settings: ServingSettings, *, plans: Mapping[str, bytes]) -> list[str]:
    """NAME_extractor, NAME_stages and NAME_evaluator in a folder, beside other models; returns these names.

    plans: network -> TensorRT's plan, with `settings.tensorrt`. Each model appears complete or not at all. Raises
    BundleError, SettingsError; OutputError where one of the models is there already.
    """
    manifest = read_manifest(bundle)
    configured = configurations(manifest, settings)
    graphs = manifest.variant(settings.precision).graphs
    if settings.tensorrt and set(plans) != set(graphs):
        raise SettingsError(
            f"plans of {', '.join(sorted(plans)) or 'nothing'} are given; {', '.join(graphs)} are needed"
        )
    names = [model_name(manifest, part) for part in configured]
    with written_to(target):
        target.mkdir(parents=True, exist_ok=True)
        there = [name for name in names if (target / name).exists()]
        if there:
            raise OutputError(f"{target / there[0]}: exists already; remove it, or give another folder")
        for part, text in configured.items():
            with tempfile.TemporaryDirectory(dir=target, prefix=".cmsn-") as folder:
                model = Path(folder, "model")
                (model / _VERSION).mkdir(parents=True)
                (model / "config.pbtxt").write_text(text, encoding="utf-8")
                if settings.tensorrt:
                    (model / _VERSION / "model.plan").write_bytes(plans[part])
                else:
                    (model / _VERSION / "model.onnx").write_bytes(read_graph(bundle, graphs[part]))
                model.rename(target / model_name(manifest, part))
    return names
