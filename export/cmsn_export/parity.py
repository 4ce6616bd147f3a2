"""Differences of the exported graphs from torch, measured on ONNX Runtime before a bundle is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cmsn_export.variants import state_dtypes
from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import evaluate, stages
from cmsn_runtime.backends.host_window import on_host
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.manifest.contents import StateTensor
from cmsn_runtime.pictures.example import moving_picture
from cmsn_runtime.proposing.roi import roi_indices
from cmsn_runtime.streams.extracting import StreamingExtractor, extracted
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.feature_extractor import FeatureExtractor

TOLERANCES = {"fp32": 1e-4, "fp16": 1e-2}  # largest relative error per precision
_FRAMES = 200  # not a multiple of most chunks, so that both ends are covered
_CHUNKS = (8, 16, 40, 768)


def measure_parity(model: CMSN, graphs: Mapping[str, bytes], *, window: int, seed: int = 0) -> dict[str, float]:
    """Largest relative error of each graph against torch in float32 -> {"extractor", "stages", "evaluator"}.

    The extractor is fed in chunks of 8, 16, 40 and 768 frames (or rows, rounded up to whole steps) and compared with a
    single pass over all of them;
    the others get that pass's features. Error: largest absolute difference over the largest absolute value.
    """
    dtypes = state_dtypes(graphs["extractor"])
    states = [StateTensor(name, tuple(shape), dtypes[name]) for name, shape in model.extractor.state_shapes().items()]
    frames = _example(model, np.random.default_rng(seed))
    with OnnxRuntimeBackend(graphs, states) as backend, torch.inference_mode():
        whole = model.extractor.whole(torch.from_numpy(frames)[None])[0].numpy()
        extractor = max(_relative(_stream(model, backend, frames, chunk), whole) for chunk in _CHUNKS)
        features = np.resize(whole, (window, whole.shape[1]))
        held = backend.new_window(window)
        held.push(features)
        stage_error = _relative(
            answer_alone(stages(held), backend), model.stages.probabilities(torch.from_numpy(features)[None])[0].numpy()
        )
        bins = model.evaluator.fc1.in_features // whole.shape[1]
        starts = np.arange(window // 2, dtype=np.int32)
        left, right = roi_indices(starts, starts[::-1] + window // 2, window, bins)
        expected = model.evaluator(*(torch.from_numpy(array) for array in (features, left, right))).numpy()
        evaluator = _relative(answer_alone(evaluate(held, left, right), backend), expected)
    return {"extractor": extractor, "stages": stage_error, "evaluator": evaluator}


def _example(model: CMSN, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Frames uint8 [T, height, width, 3], or rows float32 [T, width] of the size that the model was trained with."""
    extractor = model.extractor
    if not isinstance(extractor, FeatureExtractor):
        height, width, channels = extractor.preprocessing.picture_shape
        return moving_picture(rng, (height, width), _FRAMES, channels=channels)
    mean, deviation = (part[: extractor.width].numpy() for part in (extractor.mean, extractor.deviation))
    count = _FRAMES // extractor.stride * extractor.stride  # a single pass omits a last incomplete step
    rows: npt.NDArray[np.float32] = (mean + deviation * rng.normal(size=(count, extractor.width))).astype(np.float32)
    return rows


def _stream(model: CMSN, backend: OnnxRuntimeBackend, frames: npt.NDArray[Any], chunk: int) -> npt.NDArray[np.float32]:
    stride = model.extractor.stride
    extractor = StreamingExtractor(
        backend,
        stride=stride,
        delay_steps=model.extractor.delay_steps,
        chunk_frames=-(-chunk // stride) * stride,
    )
    return np.concatenate([on_host(part) for part in extracted(frames, extractor, backend)])


def _relative(actual: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    difference, largest = np.abs(actual - expected).max(), np.abs(expected).max()
    return float(difference / largest if largest else difference)  # a network may output only zeros
