"""Compares what runs the networks on a CPU: ONNX Runtime, and OpenVINO in FP32, BF16 and INT8.

    python -m cmsn_benchmarks.speed.backends [--width 1.0] [--rounds 5] [--seconds 2] [--json OUT]

All take turns in one process: the extractor with 8 frames a call in the middle of a stream, at a width and in the
bundles of the wheel; a batch of two cameras against one after the other; whole streams of a rendered clip; and opening,
with an empty and with a filled cache. INT8 at the width is calibrated on a moving picture: its speed is
that of any calibration, its error is not. Ratios are those of each round, so that other load matters less.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import numpy as np
import onnx

from cmsn_benchmarks.gpu.network import network_bundle
from cmsn_benchmarks.quality.demo import final_proposals
from cmsn_benchmarks.run_facts import run_facts
from cmsn_calibration.layers import quantisable
from cmsn_calibration.quantising import quantised
from cmsn_calibration.variant import INT8, write_int8_variant
from cmsn_calibration.watching import Watcher
from cmsn_runtime.backends.asks import Extract
from cmsn_runtime.backends.base import UNKNOWN_LENGTH
from cmsn_runtime.backends.openvino.library import capabilities, processor
from cmsn_runtime.backends.openvino.self_check import feature_error
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.bundle_files import locate_bundle, read_graph, read_manifest
from cmsn_runtime.events import Proposal
from cmsn_runtime.manifest.contents import FULL_PRECISION
from cmsn_runtime.pictures.example import moving_picture
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

REFERENCE = "onnxruntime"
HOP_FRAMES = 8
SHIPPED = ("demo", "cctv")
_SECONDS = 60  # of the rendered clip
_CALIBRATION_FRAMES = 160
_MIDDLE = 800  # frames into a stream, beyond every receptive field

Figures = dict[str, object]
Actions = Mapping[str, Callable[[], object]]


def backends(path: str | Path) -> list[str]:
    """Those that this processor can run, and that the bundle has graphs for."""
    found = [REFERENCE, "openvino", *(["openvino-bf16"] if "BF16" in capabilities() else [])]
    has_int8 = INT8 in read_manifest(locate_bundle(path)).variants and "INT8" in capabilities()
    return [*found, "openvino-int8"] if has_int8 else found


def with_int8(folder: Path, out: Path) -> Path:
    """A bundle with an INT8 variant, calibrated on a moving picture."""
    manifest = read_manifest(folder)
    extractor = read_graph(folder, manifest.variant(FULL_PRECISION).graphs["extractor"])
    layers = quantisable(onnx.load_from_string(extractor))
    watcher = Watcher(extractor, [layer.activation for layer in layers], threads=os.cpu_count() or 1)
    largest = dict.fromkeys((layer.activation for layer in layers), 0.0)
    height, width, _ = manifest.input_shape
    frames = moving_picture(np.random.default_rng(0), (height, width), _CALIBRATION_FRAMES)
    for begin in range(0, len(frames), HOP_FRAMES):
        found = watcher.run(frames[begin : begin + HOP_FRAMES])
        largest = {name: max(value, float(np.abs(found[name]).max())) for name, value in largest.items()}
    write_int8_variant(folder, quantised(extractor, largest, layers=[layer.name for layer in layers]), out=out)
    return out


def in_turns(actions: Actions, *, rounds: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) seconds per call, of each round; each action is repeated for about so many seconds per round."""
    repeats = {}
    for name, action in actions.items():
        action()
        wall, _ = _timed(action, 1)
        repeats[name] = max(1, round(seconds / wall))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            found[name].append(_timed(action, repeats[name]))
    return found


def compared(turns: Mapping[str, list[tuple[float, float]]], *, reference: str, frames: int) -> dict[str, Figures]:
    """Frames per second (median, least, most), and how many times as fast as the reference, by wall and by CPU time."""
    report: dict[str, Figures] = {}
    for name, pairs in turns.items():
        times, base = np.array(pairs), np.array(turns[reference])
        ratios = base / times  # [rounds, 2]
        report[name] = {
            "frames_per_second": spread(frames / times[:, 0]),
            "times_as_fast": spread(ratios[:, 0]),
            "times_as_little_cpu": spread(ratios[:, 1]),
        }
    return report


def hop_of(bundle: Bundle, cameras: int = 1, *, together: bool = False) -> Callable[[], None]:
    """8 frames of each camera, one after the other or as a batch."""
    backend = bundle.backend
    height, width, _ = bundle.manifest.input_shape
    frames = moving_picture(np.random.default_rng(0), (height, width), HOP_FRAMES)
    asks = [Extract(frames, backend.new_state(), _MIDDLE, UNKNOWN_LENGTH) for _ in range(cameras)]

    def hop() -> None:
        for batch in [asks] if together else [[ask] for ask in asks]:
            backend.extract(batch)

    return hop


def extraction(path: str | Path, *, rounds: int, seconds: float) -> dict[str, Figures]:
    """The extractor of a bundle on each backend, and its error."""
    with ExitStack() as stack:
        opened = {name: stack.enter_context(open_bundle(path, backend=name)) for name in backends(path)}
        turns = in_turns({name: hop_of(each) for name, each in opened.items()}, rounds=rounds, seconds=seconds)
        report = compared(turns, reference=REFERENCE, frames=HOP_FRAMES)
        for name, each in opened.items():
            report[name]["backend"] = each.backend.name
            error = feature_error(each.backend, opened[REFERENCE].backend, each.manifest)
            report[name]["relative_error"] = float(f"{error:.2g}")
    return report


def batches(path: str | Path, *, rounds: int, seconds: float) -> dict[str, Figures]:
    """Two cameras on OpenVINO: as requests at the same time, against one after the other."""
    with open_bundle(path, backend="openvino", largest_batch=2) as bundle:
        ways = {"in turn": hop_of(bundle, 2), "together": hop_of(bundle, 2, together=True)}
        turns = in_turns(ways, rounds=rounds, seconds=seconds)
    return compared(turns, reference="in turn", frames=2 * HOP_FRAMES)


def streams(path: str, clip: Path, *, rounds: int) -> dict[str, Figures]:
    """A whole stream of a clip: decoding, networks, proposals; and how far the finals are from the reference's."""
    with ExitStack() as stack:
        opened = {name: stack.enter_context(open_bundle(path, backend=name)) for name in backends(path)}
        finals = {name: final_proposals(each, clip) for name, each in opened.items()}
        actions = {name: _stream_of(each, clip) for name, each in opened.items()}
        turns = in_turns(actions, rounds=rounds, seconds=0)
        frames = round(_SECONDS * opened[REFERENCE].grid.fps)
        report = compared(turns, reference=REFERENCE, frames=frames)
    for name, found in finals.items():
        report[name] |= _agreement(found, finals[REFERENCE])
    return report


def opening(path: str | Path) -> dict[str, Figures]:
    """Seconds to open a bundle with an empty cache, and again."""
    report: dict[str, Figures] = {}
    for name in backends(path):
        with cache_of_its_own():
            times = []
            for _ in range(2):
                begin = time.perf_counter()
                open_bundle(path, backend=name).close()
                times.append(round(time.perf_counter() - begin, 3))
        report[name] = {"first_seconds": times[0], "again_seconds": times[1]}
    return report


@click.command()
@click.option("--width", default=1.0, show_default=True, help="Width of the untrained network; 1.0 is the paper's.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Number of turns of each.")
@click.option("--seconds", default=2.0, show_default=True, help="Seconds of one turn.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(width: float, rounds: int, seconds: float, output: Path | None) -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory() as temporary, cache_of_its_own():
        folder = Path(temporary)
        full = with_int8(network_bundle(folder / "paper.cmsn", width=width), folder / "int8.cmsn")
        render_streams(folder / "clips", RenderSettings(seconds=_SECONDS, seed=11), streams=1)
        clip = next((folder / "clips").glob("*.mp4"))
        bundles: dict[str, str | Path] = {f"width {width:g}": full, **{name: name for name in SHIPPED}}
        report = {
            **run_facts(processor=processor()),
            "rounds": rounds,
            "opening": {name: opening(path) for name, path in bundles.items()},
            "extractor_8_frames": {
                name: extraction(path, rounds=rounds, seconds=seconds) for name, path in bundles.items()
            },
            "two_cameras_on_openvino": {
                name: batches(path, rounds=rounds, seconds=seconds) for name, path in bundles.items()
            },
            "whole_stream": {name: streams(name, clip, rounds=rounds) for name in SHIPPED},
        }
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _timed(action: Callable[[], object], repeats: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        action()
    return (time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats


def _stream_of(bundle: Bundle, clip: Path) -> Callable[[], object]:
    return lambda: final_proposals(bundle, clip)


def _agreement(found: list[Proposal], expected: list[Proposal]) -> Figures:
    """Final proposals with the same bounds, and the largest difference of their scores."""
    scores = {(item.start, item.end): item.score for item in expected}
    same = [abs(item.score - scores[item.start, item.end]) for item in found if (item.start, item.end) in scores]
    return {
        "finals": len(found),
        "with_the_same_bounds": len(same),
        "largest_score_difference": float(f"{max(same, default=0.0):.2g}"),
    }


def spread(values: np.typing.NDArray[np.float64]) -> dict[str, float]:
    """Median, least and most, of four digits."""
    return {
        name: float(f"{value:.4g}")
        for name, value in (("median", np.median(values)), ("least", values.min()), ("most", values.max()))
    }


@contextmanager
def cache_of_its_own() -> Iterator[None]:
    """Nothing that was compiled before is used."""
    before = os.environ.get("CMSN_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CMSN_CACHE_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["CMSN_CACHE_DIR"]
            if before is not None:
                os.environ["CMSN_CACHE_DIR"] = before


if __name__ == "__main__":
    main()
