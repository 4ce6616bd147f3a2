"""Times the extractor: every frame once, against the paper's half-overlapped windows.

    python -m cmsn_benchmarks.speed.extraction [--json OUT] [--width 1.0] [--rounds N]

Both feed the same exported graph on ONNX Runtime at full width and take turns within one run. A window is 768 frames
and advances by 384, so in the long run each new frame costs the windowed way two passes; the comparison is between the
time of one window per 384 new frames and that of 384 frames in chunks.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch

from cmsn_export.graphs import build_graphs
from cmsn_runtime.backends.answering import answer_alone
from cmsn_runtime.backends.asks import extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH, Backend
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.manifest.contents import StateTensor
from cmsn_training.config import TrainingConfig, parse_config
from cmsn_training.models.cmsn import CMSN

WINDOW_FRAMES = 768
HOP_FRAMES = WINDOW_FRAMES // 2


def windowed_hop(backend: Backend, frames: npt.NDArray[np.uint8]) -> None:
    """384 new frames as in the paper: the whole window of 768 passes through the extractor."""
    answer_alone(extract(frames, backend.new_state(), position=0, length=WINDOW_FRAMES), backend)


def incremental_hop(backend: Backend, frames: npt.NDArray[np.uint8], *, chunk: int) -> None:
    """384 new frames in the middle of a stream, chunk by chunk."""
    state = backend.new_state()
    for begin in range(0, len(frames), chunk):
        answer_alone(
            extract(frames[begin : begin + chunk], state, position=HOP_FRAMES + begin, length=UNKNOWN_LENGTH), backend
        )


def seconds_of(action: Callable[[], None]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def paper_config(width: float) -> TrainingConfig:
    """An extractor with the paper's picture size and grid, at a width."""
    sizes = {"width": width, "lstm_hidden": round(512 * width), "evaluator_hidden": round(2048 * width)}
    return parse_config({"data": {"videos": ".", "annotations": "."}, "model": sizes}, origin="benchmark")


@click.command()
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
@click.option("--width", default=1.0, show_default=True, help="Width of the network; 1.0 is the paper's.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Number of turns of each.")
@click.option("--chunk", default=16, show_default=True, type=click.IntRange(8), help="Frames per chunk.")
def main(output: Path | None, width: float, rounds: int, chunk: int) -> None:
    """Compare both ways and print frames per second, their ratio, and the state a camera keeps."""
    torch.manual_seed(0)
    config = paper_config(width)
    model = CMSN(config).eval()
    shapes = model.extractor.state_shapes()
    height, width_pixels = config.picture().crop
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (WINDOW_FRAMES, height, width_pixels, 3), dtype=np.uint8)
    times: dict[str, list[float]] = {"windowed": [], "incremental": []}
    with OnnxRuntimeBackend(
        build_graphs(model, window=96), [StateTensor(name, shape) for name, shape in shapes.items()]
    ) as backend:
        incremental_hop(backend, frames[: 2 * chunk], chunk=chunk)
        for _ in range(rounds):
            times["windowed"].append(seconds_of(lambda: windowed_hop(backend, frames)))
            times["incremental"].append(seconds_of(lambda: incremental_hop(backend, frames[:HOP_FRAMES], chunk=chunk)))
    rates = {name: HOP_FRAMES / statistics.median(values) for name, values in times.items()}
    ratios = [windowed / once for windowed, once in zip(times["windowed"], times["incremental"], strict=True)]
    state_mb = sum(4 * int(np.prod(shape)) for shape in shapes.values()) / 1e6
    report = {
        "width": width,
        "chunk_frames": chunk,
        "frames_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratio_of_each_round": [round(ratio, 3) for ratio in ratios],
        "state_megabytes_per_camera": round(state_mb, 2),
    }
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
