"""BN-Inception (Ioffe and Szegedy, ICML 2015), with the names of TSN's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One block of parallel convolutions.

    one: channels of the 1x1 branch, 0 where it has none. three: of the reduction and the 3x3. double: of the reduction
    and the two 3x3. pool: its kind. projection: channels after the pool; 0 where the block halves the picture.
    """

    name: str
    one: int
    three: tuple[int, int]
    double: tuple[int, int]
    pool: Literal["average", "maximum"]
    projection: int

    @property
    def halves(self) -> bool:
        """Whether it has stride 2."""
        return self.projection == 0


BLOCKS = (
    BlockSpec("3a", 64, (64, 64), (64, 96), "average", 32),
    BlockSpec("3b", 64, (64, 96), (64, 96), "average", 64),
    BlockSpec("3c", 0, (128, 160), (64, 96), "maximum", 0),
    BlockSpec("4a", 224, (64, 96), (96, 128), "average", 128),
    BlockSpec("4b", 192, (96, 128), (96, 128), "average", 128),
    BlockSpec("4c", 160, (128, 160), (128, 160), "average", 128),
    BlockSpec("4d", 96, (128, 192), (160, 192), "average", 128),
    BlockSpec("4e", 0, (128, 192), (192, 256), "maximum", 0),
    BlockSpec("5a", 352, (192, 320), (160, 224), "average", 128),
    BlockSpec("5b", 352, (192, 320), (192, 224), "maximum", 128),
)


class BNInception(nn.Module):
    """Snippets [n, channels, H, W] -> class scores [n, classes], before softmax."""

    def __init__(self, *, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self._add("conv1_7x7_s2", channels, 64, 7, stride=2)
        self._add("conv2_3x3_reduce", 64, 64, 1)
        self._add("conv2_3x3", 64, 192, 3)
        inputs = 192
        for block in BLOCKS:
            inputs = self._add_block(block, inputs)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = _halved(self._conv("conv1_7x7_s2", x))
        x = _halved(self._conv("conv2_3x3", self._conv("conv2_3x3_reduce", x)))
        for block in BLOCKS:
            x = self._block(block, x)
        scores: torch.Tensor = self.fc(x.mean(dim=(2, 3)))
        return scores

    def _add(self, name: str, inputs: int, outputs: int, size: int, *, stride: int = 1) -> None:
        self.add_module(name, nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(outputs))

    def _add_block(self, block: BlockSpec, inputs: int) -> int:
        """Returns the channels of its output."""
        name, stride = f"inception_{block.name}", 2 if block.halves else 1
        if block.one:
            self._add(f"{name}_1x1", inputs, block.one, 1)
        reduced, three = block.three
        self._add(f"{name}_3x3_reduce", inputs, reduced, 1)
        self._add(f"{name}_3x3", reduced, three, 3, stride=stride)
        reduced, double = block.double
        self._add(f"{name}_double_3x3_reduce", inputs, reduced, 1)
        self._add(f"{name}_double_3x3_1", reduced, double, 3)
        self._add(f"{name}_double_3x3_2", double, double, 3, stride=stride)
        if block.projection:
            self._add(f"{name}_pool_proj", inputs, block.projection, 1)
        return block.one + three + double + (block.projection or inputs)

    def _block(self, block: BlockSpec, x: torch.Tensor) -> torch.Tensor:
        name = f"inception_{block.name}"
        branches = [self._conv(f"{name}_1x1", x)] if block.one else []
        branches.append(self._conv(f"{name}_3x3", self._conv(f"{name}_3x3_reduce", x)))
        double = self._conv(f"{name}_double_3x3_1", self._conv(f"{name}_double_3x3_reduce", x))
        branches.append(self._conv(f"{name}_double_3x3_2", double))
        if block.halves:
            branches.append(_halved(x))
        else:
            pool = F.avg_pool2d if block.pool == "average" else F.max_pool2d
            branches.append(self._conv(f"{name}_pool_proj", pool(x, 3, stride=1, padding=1)))
        return torch.cat(branches, dim=1)

    def _conv(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x)))


def _halved(x: torch.Tensor) -> torch.Tensor:
    # Caffe's pools round up: an incomplete window at the edge counts.
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)
