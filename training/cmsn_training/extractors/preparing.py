"""From the [extractor] section to networks that are ready, and the configuration of what is trained on their rows."""

from __future__ import annotations

import numpy as np
import torch

from cmsn_runtime.errors import SettingsError
from cmsn_training.config import TrainingConfig
from cmsn_training.config_sections import FeaturesConfig, GridConfig, PreprocessingConfig
from cmsn_training.extractor_config import ExtractorConfig, NetworkConfig
from cmsn_training.extractors.reading import ReadNetwork, read_network
from cmsn_training.extractors.running import NetworkRun
from cmsn_training.extractors.snippets import pooled


def with_networks(config: TrainingConfig) -> tuple[TrainingConfig, dict[str, ReadNetwork]]:
    """The configuration with what its networks' files say (sha256, size, width), and the networks.

    Where [preprocessing] is left out, the crop is that of the largest network, and the whole picture is scaled to it.
    Without [extractor] it is unchanged. Raises SettingsError where a file cannot be taken, or is not what is given.
    """
    if config.extractor is None:
        return config, {}
    crop = config.preprocessing.crop if "crop" in config.preprocessing.model_fields_set else None
    read = {name: read_network(one, crop=crop) for name, one in config.extractor.networks.items()}
    known = {name: _described(name, one, read[name]) for name, one in config.extractor.networks.items()}
    extractor = config.extractor.model_copy(update={"networks": known})
    if extractor.components is not None and extractor.components > extractor.width:
        raise SettingsError(
            f"extractor.components is {extractor.components}; the networks give {extractor.width} values; keep fewer"
        )
    preprocessing = _fitted(config.preprocessing, extractor)
    return config.model_copy(update={"extractor": extractor, "preprocessing": preprocessing}), read


def on_rows(config: TrainingConfig) -> TrainingConfig:
    """The configuration of the training that sees the networks' rows in place of pictures, one row per step."""
    if config.extractor is None:
        return config
    rows = FeaturesConfig(
        width=config.extractor.row_width, names="rows of networks", **config.extractor.rows.model_dump()
    )
    grid = GridConfig(fps=config.grid.fps / config.grid.stride, stride=1, window=config.grid.window)
    return config.model_copy(
        update={"features": rows, "extractor": None, "grid": grid, "preprocessing": PreprocessingConfig()}
    )


def origins(extractor: ExtractorConfig) -> dict[str, dict[str, str]]:
    """Network -> where it comes from, for the manifest."""
    return {
        name: {
            "file": network.file.name,
            "sha256": network.sha256 or "",
            "licence": network.licence or "not given",
            "source": network.source or "not given",
        }
        for name, network in extractor.networks.items()
    }


def _described(name: str, network: NetworkConfig, read: ReadNetwork) -> NetworkConfig:
    axes = dict(zip(network.layout[1:], read.shape, strict=True))
    with torch.inference_mode():
        example = NetworkRun(network.file, read.onnx)(np.zeros((1, *read.shape), np.float32))
        width = pooled(torch.from_numpy(example), network).shape[1]
    for field, given, found in (("sha256", network.sha256, read.sha256), ("width", network.width, width)):
        if given not in (None, found):
            place = f"extractor.networks.{name}.{field}"
            raise SettingsError(f"{place} is {given}; {network.file} has {found}; correct it, or give that file")
    return network.model_copy(update={"sha256": read.sha256, "width": width, "size": (axes["h"], axes["w"])})


def _fitted(preprocessing: PreprocessingConfig, extractor: ExtractorConfig) -> PreprocessingConfig:
    given = preprocessing.model_fields_set
    sizes = [network.size for network in extractor.networks.values() if network.size is not None]
    largest = max(size[0] for size in sizes), max(size[1] for size in sizes)
    crop = preprocessing.crop if "crop" in given else largest
    resize = preprocessing.resize if "resize" in given else crop
    fitted = preprocessing.model_copy(update={"crop": crop, "resize": resize})
    fitted.settings()  # whether the crop fits
    return fitted
