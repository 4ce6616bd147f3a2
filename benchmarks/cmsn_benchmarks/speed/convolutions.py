"""Times each layer's convolution on ONNX Runtime: over three dimensions, against two over stacked steps.

    python -m cmsn_benchmarks.speed.convolutions [--json OUT] [--width 1.0] [--chunk 16] [--rounds N]

Both are written as by `cmsn export`, with and without `--conv2d`, one layer per graph; they take turns within one run.
"""

from __future__ import annotations

import io
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import nn

from cmsn_benchmarks.speed.extraction import paper_config
from cmsn_training.models.cmsn import CMSN
from cmsn_training.models.convolution import Convolution
from cmsn_training.models.incremental import PLAN, IncrementalExtractor, plain_conv, stacked_conv
from cmsn_training.onnx_module import OPSET


class _Layer(nn.Module):
    """One convolution, in either form."""

    def __init__(self, conv: Convolution, way: Callable[[torch.Tensor, Convolution], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.way = conv, way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.way(x, self.conv)


def layer_session(conv: Convolution, x: torch.Tensor, *, stacked: bool) -> Any:
    """An ONNX Runtime session of one layer, for inputs of that shape."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        module = _Layer(conv, stacked_conv if stacked else plain_conv).eval()
        torch.onnx.export(module, (x,), buffer, input_names=["x"], opset_version=OPSET, dynamo=False)  # type: ignore[arg-type]
    return onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])


def compare(conv: Convolution, shape: tuple[int, ...], rounds: int) -> dict[str, float]:
    """Median milliseconds of both, and the speed-up of the stacked one (median of the rounds)."""
    x = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    sessions = {name: layer_session(conv, x, stacked=name == "stacked") for name in ("plain", "stacked")}
    feeds = {"x": x.numpy()}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(rounds + 1):
        for name, session in sessions.items():
            begin = time.perf_counter()
            session.run(None, feeds)
            if turn:  # the first is a warm-up
                times[name].append(time.perf_counter() - begin)
    gains = [plain / stacked for plain, stacked in zip(times["plain"], times["stacked"], strict=True)]
    medians = {f"{name}_ms": round(1e3 * statistics.median(values), 2) for name, values in times.items()}
    return {**medians, "plain_over_stacked": round(statistics.median(gains), 3)}


@click.command()
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
@click.option("--width", default=1.0, show_default=True, help="Width of the network; 1.0 is the paper's.")
@click.option("--chunk", default=16, show_default=True, type=click.IntRange(8), help="Frames per chunk.")
@click.option("--rounds", default=9, show_default=True, type=click.IntRange(1), help="Number of turns of each.")
def main(output: Path | None, width: float, chunk: int, rounds: int) -> None:
    """Compare both ways, layer by layer."""
    torch.manual_seed(0)
    extractor = CMSN(paper_config(width)).eval().extractor
    assert isinstance(extractor, IncrementalExtractor)
    shapes = extractor.state_shapes()
    layers = {}
    for layer in PLAN:
        channels, past, height, side = shapes[layer.name]
        shape = (1, channels, past + chunk // layer.stride, height, side)
        layers[layer.name] = compare(extractor.conv(layer.name), shape, rounds)
        click.echo(f"{layer.name}: {layers[layer.name]}")
    report = {"width": width, "chunk_frames": chunk, "onnxruntime": onnxruntime.__version__, "layers": layers}
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
