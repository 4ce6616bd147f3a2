"""The input of training where frozen networks turn pictures into rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from cmsn_training.config import TrainingConfig
from cmsn_training.data.inputs import FeatureInputs
from cmsn_training.data.rows_of_videos import rows_of_videos
from cmsn_training.extractor_config import ExtractorConfig
from cmsn_training.extractors.components import Projection, principal_components
from cmsn_training.extractors.frozen import FrozenExtractor, set_networks
from cmsn_training.extractors.preparing import on_rows
from cmsn_training.extractors.reading import ReadNetwork
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.feature_extractor import FeatureExtractor


class NetworkInputs(FeatureInputs):
    """Rows of networks over videos, or their principal components. Training sees these; what is deployed, pictures."""

    def __init__(self, config: TrainingConfig, extractor: ExtractorConfig, networks: Mapping[str, ReadNetwork]) -> None:
        training, held_out = rows_of_videos(config, networks)
        self._whole = config
        self._networks = networks
        self._projection: Projection | None = None
        if extractor.components is not None:
            projection = principal_components([video.frames for video in training], extractor.components)
            training, held_out = (
                [replace(video, frames=projection.of(video.frames)) for video in videos]
                for videos in (training, held_out)
            )
            self._projection = projection
        learnt = on_rows(config)
        assert learnt.features is not None
        super().__init__(learnt, learnt.features, training, held_out)

    def deployed(self, model: CMSN) -> CMSN:
        """See Inputs: with the networks, and the projection, before what was trained."""
        whole = CMSN(self._whole)
        if isinstance(whole.extractor, FrozenExtractor) and isinstance(model.extractor, FeatureExtractor):
            set_networks(whole.extractor, self._networks)
            _set_projection(whole.extractor, self._projection)
            whole.extractor.head.load_state_dict(model.extractor.state_dict())
        whole.stages.load_state_dict(model.stages.state_dict())
        whole.evaluator.load_state_dict(model.evaluator.state_dict())
        return whole.eval()


def _set_projection(extractor: FrozenExtractor, projection: Projection | None) -> None:
    if extractor.projection is not None and projection is not None:
        extractor.projection.load_state_dict(
            {"weight": torch.from_numpy(projection.weight), "bias": torch.from_numpy(projection.bias)}
        )
