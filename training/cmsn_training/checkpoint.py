"""The file of a trained model: its weights, its configuration and its provenance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save_file

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.files import Replacement, written_to
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.models.cmsn import CMSN


def save_model(model: CMSN, config: TrainingConfig, provenance: dict[str, Any], path: Path) -> None:
    """Write weights, configuration and provenance as one complete safetensors file, or none. Raises OutputError."""
    metadata = {"config": config.model_dump_json(), "provenance": json.dumps(provenance, sort_keys=True)}
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    with written_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with Replacement(path) as replacement:
            try:
                save_file(weights, replacement.unfinished, metadata)
            except safetensors.SafetensorError as error:  # its name for a full disk too
                raise OSError(str(error)) from error
            replacement.commit()


def load_model(path: Path) -> tuple[CMSN, TrainingConfig, dict[str, Any]]:
    """Read what `save_model` wrote; the model comes in evaluation mode. Raises SettingsError."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        values = json.loads(metadata["config"])
        provenance = dict(json.loads(metadata["provenance"]))
    except (OSError, safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        raise SettingsError(
            f"{path}: not a model written by `cmsn train` ({error}); give the model.safetensors of its output folder"
        ) from error
    config = parse_config(values, origin=str(path))
    model = CMSN(config)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise SettingsError(f"{path}: its weights do not fit its own configuration: {error}") from error
    return model.eval(), config, provenance
