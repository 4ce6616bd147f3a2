"""A two-stream network as an ONNX file, with the lines of a configuration that use it."""

from __future__ import annotations

from pathlib import Path

import torch

from cmsn_runtime.files import write_whole, written_to
from cmsn_training.onnx_module import export_module
from cmsn_training.two_stream.weights import TwoStreamNetwork

SIZE = 224  # pixels; both networks are trained on squares of this size


def export_two_stream(network: TwoStreamNetwork, path: Path, *, size: int = SIZE) -> None:
    """Write it for snippets float32 [n, channels, size, size] -> class scores. Raises OutputError."""
    graph = export_module(
        network.module,
        (torch.zeros(1, network.channels, size, size),),
        inputs=["snippets"],
        outputs=["scores"],
        axes={"snippets": {0: "n"}, "scores": {0: "n"}},
    )
    with written_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, graph)


def configuration_of(network: TwoStreamNetwork, path: Path) -> str:
    """The section of a training configuration that uses the file, with the normalisation that TSN trains with."""
    lines = [f"[extractor.networks.{network.kind}]", f'file = "{path}"']
    if network.kind == "flow":
        lines += ['input = "flow"', f"frames = {network.channels // 2}"]
    return "\n".join([*lines, *_normalisation(network)])


def _normalisation(network: TwoStreamNetwork) -> list[str]:
    if network.architecture == "BN-Inception":  # Caffe's
        return ["mean = 128"] if network.kind == "flow" else ["mean = [104, 117, 128]", 'channels = "bgr"']
    if network.kind == "flow":  # TSN in PyTorch: 0.5 and the mean of ImageNet's deviations, of values from 0 to 1
        return ["mean = 127.5", "scale = 0.01735"]
    return ["mean = [123.675, 116.28, 103.53]", "scale = [0.01712, 0.01751, 0.01743]"]  # ImageNet's, as torchvision
