"""The one file in which a trained model travels: its weights, its configuration and where it comes from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save_file

from cmsn_runtime.errors import SettingsError
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.models.cmsn import CMSN


def save_model(model: CMSN, config: TrainingConfig, provenance: dict[str, Any], path: Path) -> None:
    """Write weights, configuration and provenance as one safetensors file, atomically."""
    metadata = {"config": config.model_dump_json(), "provenance": json.dumps(provenance, sort_keys=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, unfinished, metadata)
    os.replace(unfinished, path)


def load_model(path: Path) -> tuple[CMSN, TrainingConfig, dict[str, Any]]:
    """Read what `save_model` wrote; the model comes in evaluation mode. Raises SettingsError."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        config = parse_config(json.loads(metadata["config"]), origin=str(path))
        provenance = json.loads(metadata["provenance"])
    except (OSError, safetensors.SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise SettingsError(
            f"{path}: not a model written by `cmsn train` ({error}); give the model.safetensors of its output folder"
        ) from error
    model = CMSN(config)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise SettingsError(f"{path}: its weights do not fit its own configuration: {error}") from error
    return model.eval(), config, provenance
