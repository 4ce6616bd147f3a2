"""One cell of a table: runs a model over its test videos and measures the recall of its proposals."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.collecting import Prediction
from cmsn_runtime.errors import SettingsError
from cmsn_training.ablation.baselines import actionness, ranked, sliding_windows_of, watershed_proposals
from cmsn_training.ablation.config import AblationConfig, Method
from cmsn_training.checkpoint import load_model
from cmsn_training.config import TrainingConfig
from cmsn_training.data.finding import FEATURES_WANTED, VIDEOS_WANTED, find_features, find_videos, those_there
from cmsn_training.data.truth import read_truth
from cmsn_training.devices import inference_device
from cmsn_training.evaluation.protocols import ACTIVITYNET, THUMOS, in_frames, recall_curve
from cmsn_training.evaluation.tiou import average_recall
from cmsn_training.models.cmsn import CMSN
from cmsn_training.predicting import predict, stage_probabilities
from cmsn_training.training import MODEL_FILE

_LOG = logging.getLogger(__name__)

Spans = npt.NDArray[np.float64]


def propose_all(config: TrainingConfig, *, method: Method, hop_steps: int) -> dict[str, Spans]:
    """Ranked proposals [K, 2] in seconds of every test video that has a file."""
    data = config.data
    if data.test_videos is None or data.test_annotations is None:
        raise SettingsError("data.test_videos and data.test_annotations are not given; a table is evaluated on them")
    model, trained, _ = load_model(config.output / MODEL_FILE)
    model = model.to(inference_device(config.hardware))
    # What the files of networks say, and the pictures that follow from it, is known since the training.
    config = config.model_copy(update={"extractor": trained.extractor, "preprocessing": trained.preprocessing})
    names = sorted(read_truth(data.test_annotations, subset=data.test_subset, note=_LOG.warning))
    videos = _find(config, data.test_videos, data.test_annotations, names)
    return {name: _propose(model, config, video, method, hop_steps) for name, video in videos.items()}


def recalls(proposals: Mapping[str, Spans], truth: Mapping[str, Spans], table: AblationConfig) -> list[float]:
    """The figures of a row in percent, one per column of the table."""
    if table.measure == "first-n":
        return [average_recall(proposals, truth, per_video=number) for number in table.an]
    protocol = ACTIVITYNET if table.measure == "activitynet" else THUMOS
    if table.tiou:
        protocol = replace(protocol, thresholds=table.tiou)
    if protocol.inclusive:
        # At 25 frames per second, as in the network; this only affects lengths by one frame.
        rates = dict.fromkeys({*proposals, *truth}, 25.0)
        proposals, truth = in_frames(proposals, rates), in_frames(truth, rates)
    curve = recall_curve(proposals, truth, protocol)
    if table.tiou:
        return [float(value) for value in curve.recall_at(table.an[0])]
    return [curve.average_recall_at(number) for number in table.an]


def _propose(model: CMSN, config: TrainingConfig, video: Path | str, method: Method, hop_steps: int) -> Spans:
    found = predict(model, config, video, hop_steps=hop_steps)
    if method == "cmsn":
        return np.array([(float(one.start), float(one.end)) for one in found.proposals]).reshape(-1, 2)
    return _baseline(found, method) * float(config.time_grid().step_seconds)


def _baseline(found: Prediction, method: Method) -> Spans:
    scores = actionness(stage_probabilities(found))
    spans = watershed_proposals(scores) if method == "watershed" else sliding_windows_of(len(scores))
    return ranked(spans, scores)


def _find(config: TrainingConfig, folder: Path, annotations: Path, names: Sequence[str]) -> Mapping[str, Path | str]:
    missing = config.data.missing
    if config.features is not None:
        rows = find_features(folder, names)
        return those_there(rows, annotations, folder, wanted=FEATURES_WANTED, missing=missing)
    return those_there(find_videos(folder, names), annotations, folder, wanted=VIDEOS_WANTED, missing=missing)
