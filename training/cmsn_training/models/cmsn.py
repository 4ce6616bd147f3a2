"""The whole network, built from a configuration."""

from __future__ import annotations

from typing import TypeAlias

from torch import nn

from cmsn_training.config import TrainingConfig
from cmsn_training.config_sections import FeaturesConfig
from cmsn_training.extractor_config import ExtractorConfig
from cmsn_training.extractors.frozen import FrozenExtractor
from cmsn_training.extractors.preparing import on_rows
from cmsn_training.models.c3d import C3D
from cmsn_training.models.c3d_layers import scaled
from cmsn_training.models.evaluator import ProposalEvaluator
from cmsn_training.models.feature_extractor import FeatureExtractor
from cmsn_training.models.incremental import IncrementalExtractor
from cmsn_training.models.stage_subnet import StageClassifier, StageEncoder

ASS_CHANNELS = 512

Extractor: TypeAlias = IncrementalExtractor | FeatureExtractor | FrozenExtractor


class CMSN(nn.Module):
    """Extractor, stage subnet and evaluator, built from a configuration."""

    extractor: Extractor

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        sizes = config.model
        self.extractor = _extractor(config)
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


def _extractor(config: TrainingConfig) -> Extractor:
    if config.features is not None:
        return _features(config, config.features)
    return _pictures(config) if config.extractor is None else _frozen(config, config.extractor)


def _frozen(config: TrainingConfig, extractor: ExtractorConfig) -> FrozenExtractor:
    learnt = on_rows(config)
    assert learnt.features is not None
    return FrozenExtractor(
        extractor,
        head=_features(learnt, learnt.features),
        preprocessing=config.picture(),
        stride=config.grid.stride,
    )


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


def freeze(module: nn.Module) -> None:
    """Keep a module's weights as they are."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
