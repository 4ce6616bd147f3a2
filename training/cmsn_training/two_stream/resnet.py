"""ResNet (He et al., CVPR 2016), with the names of torchvision."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

# Blocks of the four stages, and whether they are bottlenecks (Table 1; 200 by He et al., ECCV 2016).
DEPTHS: dict[int, tuple[tuple[int, int, int, int], bool]] = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
    200: ((3, 24, 36, 3), True),
}
_WIDTHS = (64, 128, 256, 512)


class ResNet(nn.Module):
    """Snippets [n, channels, H, W] -> class scores [n, classes], before softmax.

    blocks: of each stage. bottleneck: of three convolutions each, in place of two. stride_in_1x1: a bottleneck halves
    the picture in its first convolution, as in Caffe's models, and not in its second, as in torchvision's: the weights
    have the same names and shapes.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        *,
        bottleneck: bool,
        channels: int = 3,
        classes: int = 1000,
        stride_in_1x1: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        expansion, inputs = (4 if bottleneck else 1), 64
        for number, (count, width) in enumerate(zip(blocks, _WIDTHS, strict=True), start=1):
            stage = []
            for index in range(count):
                stride = 2 if number > 1 and index == 0 else 1
                stage.append(
                    _Bottleneck(inputs, width, stride, stride_in_1x1) if bottleneck else _Basic(inputs, width, stride)
                )
                inputs = width * expansion
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        scores: torch.Tensor = self.fc(x.mean(dim=(2, 3)))
        return scores


class _Basic(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(inputs, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inside)) + (x if self.downsample is None else self.downsample(x)))


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int, stride_in_1x1: bool) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        self.conv1 = nn.Conv2d(inputs, width, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = _projection(inputs, 4 * width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = torch.relu(self.bn1(self.conv1(x)))
        inside = torch.relu(self.bn2(self.conv2(inside)))
        return torch.relu(self.bn3(self.conv3(inside)) + (x if self.downsample is None else self.downsample(x)))


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
