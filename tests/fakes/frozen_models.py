"""Models over small frozen networks of each input kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from small_networks import Clips, Frames, write_network

from cmsn_runtime.pictures.example import moving_picture
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.extractors.frozen import FrozenExtractor, set_networks
from cmsn_training.extractors.preparing import with_networks
from cmsn_training.models.cmsn import CMSN

FRAMES = 203  # ends within a step
SIZE = (16, 24)
KINDS = ("rgb", "difference", "flow", "clip", "several snippets", "wide clip", "two streams")


def networks_of(kind: str, folder: Path) -> dict[str, dict[str, Any]]:
    """The `extractor.networks` of a kind."""
    rgb = {"file": str(write_network(folder / "rgb.onnx", Frames(3), (3, *SIZE))), "mean": 120, "scale": 0.02}
    stack = str(write_network(folder / "stack.onnx", Frames(15), (15, *SIZE), seed=1))
    flow = str(write_network(folder / "flow.onnx", Frames(10), (10, *SIZE), seed=2))
    clip = str(write_network(folder / "clip.onnx", Clips(3, 16), (3, 16, *SIZE), seed=3))
    one = str(write_network(folder / "one.onnx", Frames(3), (3, *SIZE), seed=4))
    kinds: dict[str, dict[str, dict[str, Any]]] = {
        "rgb": {"rgb": {**rgb, "channels": "bgr", "scale": [0.01, 0.02, 0.03]}},
        "difference": {"motion": {"file": stack, "input": "difference", "frames": 5, "scale": 0.02}},
        "flow": {"flow": {"file": flow, "input": "flow", "frames": 5, "mean": 128, "scale": 0.02}},
        "clip": {"clip": {"file": clip, "frames": 16, "layout": "ncthw", "mean": 110, "scale": 0.01}},
        "wide clip": {
            "clip": {"file": clip, "frames": 16, "apart": 3, "layout": "ncthw", "scale": 0.01},
            "motion": {"file": one, "input": "difference", "apart": 4, "scale": 0.03},
        },
        "several snippets": {"rgb": {**rgb, "every": 2, "pool": "maximum"}},
    }
    kinds["two streams"] = {**kinds["rgb"], **kinds["flow"], **kinds["clip"]}
    return kinds[kind]


def configured(networks: dict[str, dict[str, Any]], **more: Any) -> TrainingConfig:
    """A small configuration of these networks."""
    values = {
        "data": {"videos": ".", "annotations": "."},
        "grid": {"window": 16},
        "model": {"lstm_hidden": 8, "evaluator_hidden": 8, "roi_bins": 4},
        "extractor": {"networks": networks, "rows": {"context": 1, "difference": True}, **more},
    }
    return parse_config(values, origin="test")


def model_of(config: TrainingConfig) -> tuple[CMSN, TrainingConfig]:
    """Its model and the whole configuration, with the rows' statistics set as after a training."""
    whole, networks = with_networks(config)
    torch.manual_seed(0)
    model = CMSN(whole).eval()
    assert isinstance(model.extractor, FrozenExtractor)
    set_networks(model.extractor, networks)
    torch.nn.init.uniform_(model.extractor.head.deviation, 0.5, 2.0)
    torch.nn.init.normal_(model.extractor.head.mean)
    return model, whole


def pictures_for(model: CMSN) -> npt.NDArray[np.uint8]:
    """A moving picture, with more channels where the model takes flow."""
    assert isinstance(model.extractor, FrozenExtractor)
    height, width, channels = model.extractor.preprocessing.picture_shape
    return moving_picture(np.random.default_rng(0), (height, width), FRAMES, channels=channels)
