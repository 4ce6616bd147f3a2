"""`cmsn two-stream`: the paper's second extractor from weights that people own."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("two-stream", short_help="ResNet and BN-Inception from your weights, as ONNX.")
def two_stream() -> None:
    """The two-stream networks of the paper: ResNet on pictures, BN-Inception on optical flow."""


@two_stream.command(short_help="Write a network as ONNX.")
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="NAME.onnx.")
@click.option("--size", default=224, show_default=True, type=click.IntRange(32, 1024), help="Pixels of a side.")
@click.option("--stride-in-1x1", is_flag=True, help="A ResNet as in Caffe: its 1x1 convolutions have the strides.")
def export(weights: Path, output: Path, size: int, stride_in_1x1: bool) -> None:
    """Write WEIGHTS (a PyTorch or safetensors file) as an ONNX network for `[extractor]` of a training configuration.

    ResNet and BN-Inception are recognised by the names of their tensors, as torchvision, TSN and mmaction2 save them;
    only tensors are read. Prints the lines of a configuration that use the network; check its mean and scale.
    """
    from cmsn_runtime.errors import MissingExtraError

    for library in ("torch", "onnx"):
        try:
            __import__(library)
        except ImportError as error:
            raise MissingExtraError(library, "train", "two-stream networks") from error
    from cmsn_runtime.reporting import say
    from cmsn_training.two_stream.exporting import configuration_of, export_two_stream
    from cmsn_training.two_stream.weights import read_two_stream

    network = read_two_stream(weights, stride_in_1x1=stride_in_1x1)
    export_two_stream(network, output, size=size)
    say(f"{output}: {network.architecture}, {network.channels} channels, {network.classes} classes")
    say(configuration_of(network, output))
