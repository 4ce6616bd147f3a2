"""Opens the input of training that a configuration describes."""

from __future__ import annotations

from collections.abc import Mapping

from cmsn_training.config import TrainingConfig
from cmsn_training.data.inputs import FeatureInputs, Inputs, PictureInputs
from cmsn_training.data.network_inputs import NetworkInputs
from cmsn_training.extractors.reading import ReadNetwork


def open_inputs(config: TrainingConfig, networks: Mapping[str, ReadNetwork]) -> Inputs:
    """Load the data of a configuration, with its networks. Raises SettingsError, AnnotationError and SourceError."""
    if config.extractor is not None:
        return NetworkInputs(config, config.extractor, networks)
    return PictureInputs(config) if config.features is None else FeatureInputs.of_files(config, config.features)
