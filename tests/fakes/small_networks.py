"""Small random networks in ONNX, as people own them: of frames, stacks and clips."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn


class Frames(nn.Module):
    """[n, c, h, w] -> maps [n, 6, h / 2, w / 2], with a residual and ReLU6."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 6, 3, stride=2, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = nn.functional.relu6(self.first(x))
        return x + nn.functional.relu(self.second(x))


class Clips(nn.Module):
    """[n, c, t, h, w] -> values [n, 5]."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(channels, 5, (frames, 3, 3), padding=(0, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return torch.relu(self.first(x)).mean(dim=(2, 3, 4))


def write_network(
    path: Path, module: nn.Module, shape: tuple[int, ...], *, opset: int = 17, dynamic: bool = True, seed: int = 0
) -> Path:
    """Export a module with random weights for snippets of a shape. dynamic: of any number of them, otherwise one."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    axes = {"input": {0: "n"}, "output": {0: "n"}} if dynamic else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch recommends its newer exporter
        torch.onnx.export(
            module.eval(),
            (torch.zeros(1, *shape),),
            path,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes=axes,
            opset_version=opset,
            dynamo=False,
        )
    return path
