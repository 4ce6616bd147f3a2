"""The whole network, and the one file its weights and its description travel in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save_file
from torch import nn

from cmsn_runtime.errors import SettingsError
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.config_sections import FeaturesConfig
from cmsn_training.models.c3d import C3D, scaled
from cmsn_training.models.evaluator import ProposalEvaluator
from cmsn_training.models.feature_extractor import FeatureExtractor
from cmsn_training.models.incremental import IncrementalExtractor
from cmsn_training.models.stage_subnet import StageClassifier, StageEncoder

ASS_CHANNELS = 512


class CMSN(nn.Module):
    """Extractor, stage subnet and evaluator, built from a configuration."""

    extractor: IncrementalExtractor | FeatureExtractor

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        sizes = config.model
        self.extractor = _pictures(config) if config.features is None else _features(config, config.features)
        channels = self.extractor.out_channels
        self.stages = StageClassifier(
            channels, sizes.lstm_hidden, dropout=sizes.dropout, scale=config.loss.scale, kind=config.loss.kind
        )
        self.evaluator = ProposalEvaluator(
            channels,
            sizes.evaluator_hidden,
            bins=sizes.roi_bins,
            levels=config.grid.window.bit_length(),
            dropout=sizes.dropout if sizes.evaluator_dropout is None else sizes.evaluator_dropout,
            head=sizes.evaluator_head,
        )
        self.feature_channels = channels


def _pictures(config: TrainingConfig) -> IncrementalExtractor:
    width = config.model.width
    c3d = C3D(width=width)
    encoder = StageEncoder(c3d.out_channels, scaled(ASS_CHANNELS, width))
    return IncrementalExtractor(c3d, encoder, config.picture())


def _features(config: TrainingConfig, features: FeaturesConfig) -> FeatureExtractor:
    return FeatureExtractor(
        features.width,
        stride=config.grid.stride,
        context=features.context,
        difference=features.difference,
        dropout=features.dropout,
        pool=features.pool,
    )


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


def freeze(module: nn.Module) -> None:
    """Keep a module's weights as they are."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
