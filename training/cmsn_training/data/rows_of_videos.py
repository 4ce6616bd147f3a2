"""Videos of a configuration with [extractor] as rows of its networks, through the cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from cmsn_runtime.backends.onnxruntime.provider import Provider, has_cuda
from cmsn_runtime.manifest.contents import StateTensor
from cmsn_training.config import TrainingConfig
from cmsn_training.data.corpus import AnnotatedVideo, FoundCorpus, find_corpus
from cmsn_training.data.picture_views import CENTRE, PictureView, views
from cmsn_training.data.rows_cache import RowsCache
from cmsn_training.extractor_config import ExtractorConfig
from cmsn_training.extractors.frozen import FrozenExtractor, set_networks
from cmsn_training.extractors.merging import merged_graph
from cmsn_training.extractors.reading import ReadNetwork
from cmsn_training.models.feature_extractor import FeatureExtractor


def rows_of_videos(
    config: TrainingConfig, networks: Mapping[str, ReadNetwork]
) -> tuple[list[AnnotatedVideo], list[AnnotatedVideo]]:
    """Training and validation videos as rows, one per step; a training video occurs once for each of its views.

    Raises SettingsError, AnnotationError and SourceError as PictureInputs does.
    """
    assert config.extractor is not None
    data, held_out = config.data, config.data.held_out()
    find = partial(find_corpus, missing=data.missing)
    # Both are located before either is computed, which may take hours.
    training = find(data.videos, data.annotations, subset=data.subset)
    validation = find(*held_out, subset=data.validation_subset) if held_out else None
    caches = partial(
        _caches, config, {name: _alone(config, config.extractor, name, networks[name]) for name in networks}
    )
    watched = _computed(config, validation, caches(CENTRE), "validation videos") if validation else []
    learnt: list[AnnotatedVideo] = []
    for view in views(config.extractor.crops):
        learnt += _computed(config, training, caches(view), f"training videos, {view.name}")
    return learnt, watched


class _Alone(NamedTuple):
    """One of the networks, with a head that passes its rows through, and its graph."""

    extractor: FrozenExtractor
    graph: bytes


def _alone(config: TrainingConfig, extractor: ExtractorConfig, name: str, network: ReadNetwork) -> _Alone:
    only = extractor.model_copy(update={"networks": {name: extractor.networks[name]}, "components": None})
    flow = config.picture().flow if only.has_flow else None
    frozen = FrozenExtractor(
        only,
        head=FeatureExtractor(only.width, context=0),
        preprocessing=replace(config.picture(), flow=flow),
        stride=config.grid.stride,
    )
    set_networks(frozen, {name: network})
    return _Alone(frozen.eval(), merged_graph(frozen))


def _caches(config: TrainingConfig, networks: Mapping[str, _Alone], view: PictureView) -> dict[str, RowsCache]:
    """One for each network: another network, or another choice of them, computes only what is new."""
    cuda = config.hardware.accelerator != "cpu" and has_cuda()
    return {
        name: RowsCache(
            config.data.cache,
            graph=graph,
            states=[StateTensor(state, shape) for state, shape in extractor.state_shapes().items()],
            delay_steps=extractor.delay_steps,
            grid=config.time_grid(),
            preprocessing=extractor.preprocessing,
            view=view,
            provider=Provider("cuda" if cuda else "cpu"),
        )
        for name, (extractor, graph) in networks.items()
    }


def _computed(
    config: TrainingConfig, corpus: FoundCorpus, caches: Mapping[str, RowsCache], what: str
) -> list[AnnotatedVideo]:
    def progress(items: Iterable[tuple[str, Path]], name: str) -> Iterable[tuple[str, Path]]:
        return track(list(items), f"{name} of {what}")

    rate = config.grid.fps / config.grid.stride
    found = [
        corpus.decode(cache, rate=rate, decoders=config.data.decoders, progress=partial(progress, name=name))
        for name, cache in caches.items()
    ]
    return [
        replace(parts[0], frames=np.concatenate([part.frames for part in parts], axis=1))
        for parts in zip(*found, strict=True)
    ]
