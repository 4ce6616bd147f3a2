"""Puts what was trained on rows behind the networks that computed them."""

from __future__ import annotations

from collections.abc import Mapping

from cmsn_training.config import TrainingConfig
from cmsn_training.extractor_config import ExtractorConfig
from cmsn_training.extractors.frozen import FrozenExtractor, set_networks
from cmsn_training.extractors.reading import ReadNetwork
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.feature_extractor import FeatureExtractor


def deployed(model: CMSN, config: TrainingConfig, networks: Mapping[str, ReadNetwork]) -> CMSN:
    """A model of rows -> the model of pictures. config: the whole one; without [extractor] the model is returned."""
    if config.extractor is None:
        return model
    whole = CMSN(config)
    if isinstance(whole.extractor, FrozenExtractor) and isinstance(model.extractor, FeatureExtractor):
        set_networks(whole.extractor, networks)
        whole.extractor.head.load_state_dict(model.extractor.state_dict())
    whole.stages.load_state_dict(model.stages.state_dict())
    whole.evaluator.load_state_dict(model.evaluator.state_dict())
    return whole.eval()


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
