"""Weights that people own, recognised by their names and loaded into ResNet or BN-Inception."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import first_few
from cmsn_training.models.tensor_files import listing, read_tensors
from cmsn_training.two_stream.bn_inception import BNInception
from cmsn_training.two_stream.resnet import DEPTHS, ResNet

Kind = Literal["rgb", "flow"]

KNOWN = (
    "torchvision (conv1.weight, layer1.0.conv1.weight, fc.weight), TSN's (base_model. before them, new_fc.weight), "
    "mmaction2 (backbone.conv1.conv.weight, cls_head.fc_cls.weight), BN-Inception (conv1_7x7_s2.weight, "
    "last_linear.weight)"
)
# Applied in turn; wrappers may be in each other.
_RENAMED = (
    (re.compile(r"^(module|model|base_model|backbone)\."), ""),
    (re.compile(r"^(module|model|base_model|backbone)\."), ""),
    (re.compile(r"^(new_fc|last_linear|fc_action|fc-action|fc_cls|cls_head\.fc_cls)\."), "fc."),
    (re.compile(r"^conv1\.bn\."), "bn1."),
    (re.compile(r"\.conv(\d)\.bn\."), r".bn\1."),
    (re.compile(r"(^|\.)conv(\d)\.conv\."), r"\1conv\2."),
    (re.compile(r"\.downsample\.conv\."), ".downsample.0."),
    (re.compile(r"\.downsample\.bn\."), ".downsample.1."),
)
_ONE_COLUMN = re.compile(r"bn\d?\.|_bn\.|downsample\.1\.")


@dataclass(frozen=True, slots=True, eq=False)
class TwoStreamNetwork:
    """A network with its weights, in evaluation mode.

    architecture: such as "ResNet-50". channels: of its input, 3 of pictures. classes: of its scores.
    """

    module: nn.Module
    architecture: str
    channels: int
    classes: int

    @property
    def kind(self) -> Kind:
        """Pictures have three channels; flow has two for each pair of frames."""
        return "rgb" if self.channels == 3 else "flow"


def read_two_stream(path: Path, *, stride_in_1x1: bool = False) -> TwoStreamNetwork:
    """Read ResNet or BN-Inception from a PyTorch or safetensors file, recognised by the names of its tensors.

    stride_in_1x1: see ResNet. Only tensors are read, never code. Raises SettingsError where the file is of an unknown
    layout, with the names it holds, or incomplete.
    """
    raw, _ = read_tensors(path)
    tensors = {_renamed(name): value for name, value in raw.items() if not name.endswith("num_batches_tracked")}
    if "conv1_7x7_s2.weight" in tensors:
        channels, classes = _ends(path, tensors, "conv1_7x7_s2")
        return _loaded(
            path, tensors, BNInception(channels=channels, classes=classes), "BN-Inception", channels, classes
        )
    blocks = _blocks(tensors)
    if "conv1.weight" not in tensors or not all(blocks):
        raise SettingsError(f"{path}: no network of a known layout; it holds {listing(raw)}; known layouts: {KNOWN}")
    bottleneck = "layer1.0.conv3.weight" in tensors
    channels, classes = _ends(path, tensors, "conv1")
    network = ResNet(blocks, bottleneck=bottleneck, channels=channels, classes=classes, stride_in_1x1=stride_in_1x1)
    depth = next((depth for depth, known in DEPTHS.items() if known == (blocks, bottleneck)), None)
    name = f"ResNet-{depth}" if depth else f"ResNet of {'-'.join(map(str, blocks))} blocks"
    return _loaded(path, tensors, network, name, channels, classes)


def _renamed(name: str) -> str:
    for pattern, by in _RENAMED:
        name = pattern.sub(by, name)
    return name


def _blocks(tensors: Mapping[str, torch.Tensor]) -> tuple[int, int, int, int]:
    """Blocks of each of the four stages, by their numbers."""
    found = [
        {int(name.split(".")[1]) for name in tensors if re.match(rf"layer{stage}\.\d+\.", name)}
        for stage in range(1, 5)
    ]
    first, second, third, fourth = (len(numbers) for numbers in found)
    return first, second, third, fourth


def _ends(path: Path, tensors: Mapping[str, torch.Tensor], first: str) -> tuple[int, int]:
    """Channels of the input and number of classes."""
    weight, scores = tensors[f"{first}.weight"], tensors.get("fc.weight")
    if scores is None or weight.dim() != 4 or scores.dim() != 2:
        raise SettingsError(
            f"{path}: has no layer of class scores (fc.weight [classes, values]); it holds {listing(tensors)}; give "
            "the weights of a whole classifier"
        )
    return weight.shape[1], scores.shape[0]


def _loaded(
    path: Path, tensors: Mapping[str, torch.Tensor], module: nn.Module, name: str, channels: int, classes: int
) -> TwoStreamNetwork:
    wanted = {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in tensors]
    if missing:
        raise SettingsError(f"{path}: looks like {name}, but lacks {first_few(missing)}; give intact weights")
    given = {key: _shaped(tensors[key], key) for key in wanted}
    wrong = [key for key, value in given.items() if value.shape != wanted[key].shape]
    if wrong:
        shapes = f"{wrong[0]} is {list(given[wrong[0]].shape)}, not {list(wanted[wrong[0]].shape)}"
        raise SettingsError(f"{path}: looks like {name}, but {shapes}; give weights of this network")
    unfit = [key for key, value in given.items() if not value.is_floating_point() or not value.isfinite().all()]
    if unfit:
        raise SettingsError(f"{path}: {first_few(unfit)} holds values that are not finite; give intact weights")
    module.load_state_dict(given, strict=False)  # only the counters of batches are left out
    return TwoStreamNetwork(module.eval(), name, channels, classes)


def _shaped(value: torch.Tensor, key: str) -> torch.Tensor:
    """TSN's first files keep the values of batch normalisation as [1, channels]."""
    column = value.dim() == 2 and value.shape[0] == 1 and _ONE_COLUMN.search(key) is not None
    return value[0] if column else value
