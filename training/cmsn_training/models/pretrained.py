"""C3D weights from a user's file: read, checked against their preprocessing, loaded into a network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.hashing import file_sha256
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.structuring import structure
from cmsn_training.config import TrainingConfig
from cmsn_training.config_sections import PreprocessingConfig
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.incremental import IncrementalExtractor
from cmsn_training.models.pretrained_layouts import KNOWN, Source, c3d_shapes, recognise
from cmsn_training.models.tensor_files import listing, read_tensors


@dataclass(frozen=True, slots=True, eq=False)
class C3DWeights:
    """The C3D weights of a file.

    tensors: `conv1a.weight` .. `conv5b.bias`, float32, as `C3D.state_dict` names them. width: as in the configuration.
    source: whose naming the file follows. preprocessing: what the weights were trained with.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    width: float
    source: Source
    preprocessing: Preprocessing


def read_c3d_weights(path: Path) -> C3DWeights:
    """Read conv1a..conv5b from a PyTorch file (state dict, or a checkpoint that holds one) or a safetensors file.

    Recognised by the names of its tensors, see `pretrained_layouts`; other tensors are ignored. Only tensors
    are unpickled, never code. Raises SettingsError where the file cannot be read this way, has an unknown layout, or
    does not fit.
    """
    tensors, metadata = read_tensors(path)
    recognised = recognise(tensors.keys())
    if recognised is None:
        raise SettingsError(f"{path}: no C3D of a known layout; it holds {listing(tensors)}; known layouts: {KNOWN}")
    layout, prefix = recognised
    width, preprocessing = (1.0, layout.preprocessing) if layout.preprocessing else _trained_here(path, metadata)
    keys = layout.keys(prefix)
    shapes = c3d_shapes(width)
    chosen = {name: _checked(path, tensors, key, shapes[name]) for name, key in keys.items()}
    return C3DWeights(path, chosen, width, layout.source, preprocessing)


def with_pretrained(config: TrainingConfig) -> TrainingConfig:
    """The configuration with what [preprocessing] leaves out taken from the weights that `model.pretrained` names.

    Without weights it is unchanged. Raises SettingsError where they cannot be read or do not fit, before hours of
    training.
    """
    path = config.model.pretrained
    if path is None:
        return config
    weights = read_c3d_weights(path)
    check_width(weights, config.model.width)
    given = config.preprocessing.model_fields_set
    known = asdict(weights.preprocessing)
    left_out = {name: known[name] for name in PreprocessingConfig.model_fields if name not in given}
    followed = config.model_copy(update={"preprocessing": config.preprocessing.model_copy(update=left_out)})
    if config.model.pretrained_preprocessing == "check":
        check_preprocessing(weights, followed.picture())
    return followed


def check_width(weights: C3DWeights, width: float) -> None:
    """Raises SettingsError where the weights are of another width than the network."""
    if c3d_shapes(width) != c3d_shapes(weights.width):
        raise SettingsError(
            f"{weights.path} holds a C3D of width {weights.width:g}, model.width is {width:g}: "
            f"set model.width = {weights.width:g}, or start from a model of width {width:g} trained here"
        )


def check_preprocessing(weights: C3DWeights, preprocessing: Preprocessing) -> None:
    """Raises SettingsError where mean, scale or channel order differ from those the weights were trained with.

    No other error would reveal it: a network with other input values than in its training works, but worse.
    """
    known = weights.preprocessing
    same_mean = all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(preprocessing.mean, known.mean, strict=True))
    same_scale = math.isclose(preprocessing.scale, known.scale, rel_tol=1e-6)
    if not (same_mean and same_scale and preprocessing.channels == known.channels):
        raise SettingsError(
            f"{weights.path} ({weights.source}) was trained with {_normalisation(known)}; [preprocessing] has "
            f"{_normalisation(preprocessing)}: leave these three out to take them from the weights, "
            'or set model.pretrained_preprocessing = "ignore"'
        )


def apply_pretrained(model: CMSN, config: TrainingConfig) -> dict[str, str] | None:
    """Load the weights that `model.pretrained` names into the extractor's C3D; None where it names none.

    Returns their provenance: file, sha256, source. Raises SettingsError where they do not fit the configuration.
    """
    path = config.model.pretrained
    if path is None or not isinstance(model.extractor, IncrementalExtractor):
        return None
    weights = read_c3d_weights(path)
    check_width(weights, config.model.width)
    if config.model.pretrained_preprocessing == "check":
        check_preprocessing(weights, config.picture())
    model.extractor.c3d.load_state_dict(weights.tensors)
    return {"file": path.name, "sha256": file_sha256(path), "source": weights.source}


def _trained_here(path: Path, metadata: Mapping[str, str]) -> tuple[float, Preprocessing]:
    """Width and preprocessing that `cmsn train` wrote into the file's metadata."""
    try:
        config = json.loads(metadata["config"])
        return float(config["model"]["width"]), structure(config["preprocessing"], Preprocessing, path="preprocessing")
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{path}: it has the tensor names of `cmsn train`, but lacks a valid configuration; give the "
            "model.safetensors of the output folder"
        ) from error


def _checked(path: Path, tensors: Mapping[str, torch.Tensor], key: str, shape: tuple[int, ...]) -> torch.Tensor:
    value = tensors.get(key)
    if value is None:
        raise SettingsError(f"{path}: has no {key}, a C3D needs it {list(shape)}; it holds {listing(tensors)}")
    if tuple(value.shape) != shape:
        raise SettingsError(f"{path}: {key} is {list(value.shape)}, a C3D needs {list(shape)}; give weights of a C3D")
    if not value.is_floating_point() or not value.isfinite().all():
        raise SettingsError(f"{path}: {key} holds {value.dtype} values that are not finite; give intact weights")
    return value.to(torch.float32)


def _normalisation(preprocessing: Preprocessing) -> str:
    """In TOML syntax."""
    return f'mean = {list(preprocessing.mean)}, scale = {preprocessing.scale:g}, channels = "{preprocessing.channels}"'
