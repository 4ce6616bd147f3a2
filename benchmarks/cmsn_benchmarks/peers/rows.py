"""The rows of the comparison, by schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch

from cmsn_benchmarks.peers.continual_steps import frame_wise
from cmsn_benchmarks.peers.offline import on_onnxruntime, on_openvino
from cmsn_benchmarks.peers.own_ways import streamed
from cmsn_benchmarks.peers.torch_ways import Variant, step_wise, windowed
from cmsn_benchmarks.peers.two_cameras import PLACINGS, placed
from cmsn_benchmarks.peers.way import Peer, Way, Work
from cmsn_runtime.backends.openvino.precisions import BF16, FP32

WINDOWS = "windows_of_768_frames_that_overlap_by_half"  # the paper's schedule
STREAMS = "streams_with_states"
CLIPS = "whole_clips_without_states"
TWO_CAMERAS = "two_cameras_on_openvino"

PLAIN = "torch eager FP32 in windows"  # what the others are compared with
CHUNKS = (8, 48)  # frames a call
_CLIPS = (*CHUNKS, 192)  # frames
_PRECISIONS = {"FP32": (FP32, "openvino"), "BF16": (BF16, "openvino-bf16")}
_LAST = "channels_last_3d"
_Row = tuple[str, str, Callable[[Work], Way]]  # name, precision, how it is opened
_BF16 = torch.bfloat16
_VARIANTS = {
    "torch eager FP32": ("FP32", Variant()),
    f"torch eager FP32 {_LAST}": ("FP32", Variant(channels_last=True)),
    "torch eager BF16 autocast": ("BF16", Variant(autocast=True)),
    f"torch eager BF16 {_LAST}": ("BF16", Variant(dtype=_BF16, channels_last=True)),
    f"torch.compile FP32 {_LAST}": ("FP32", Variant(channels_last=True, compiled=True)),
    f"torch.compile BF16 {_LAST}": ("BF16", Variant(dtype=_BF16, channels_last=True, compiled=True)),
}
_FEWER_PRODUCTS = (
    "fewer products than a stream's 8 frames: four layers have a single step, whose neighbours are padding and left out"
)


def streamed_name(precision: str, chunk: int) -> str:
    """Row of this project's stream on OpenVINO."""
    return f"cmsn, OpenVINO {precision}, {chunk} frames a call"


def clip_name(precision: str, frames: int) -> str:
    """Row of a clip on OpenVINO."""
    return f"OpenVINO {precision}, {frames} frames"


def peers() -> list[Peer]:
    """All of them, in the order of the table."""
    return [*_windows(), *_streams(), *_clips(), *_two_cameras()]


def _windows() -> Sequence[Peer]:
    return [
        Peer(name=f"{name} in windows", group=WINDOWS, precision=precision, open=partial(windowed, variant=variant))
        for name, (precision, variant) in _VARIANTS.items()
    ]


def _streams() -> Sequence[Peer]:
    own: list[_Row] = [
        ("cmsn, ONNX Runtime FP32, 8 frames a call", "FP32", partial(streamed, backend="onnxruntime", chunk=8))
    ]
    for precision, (_, backend) in _PRECISIONS.items():
        for chunk in CHUNKS:
            own.append((streamed_name(precision, chunk), precision, partial(streamed, backend=backend, chunk=chunk)))
    torch_rows: list[_Row] = [
        (f"{name}, 8 frames a call", precision, partial(step_wise, variant=variant))
        for name, (precision, variant) in _VARIANTS.items()
    ]
    rows = [*own, *torch_rows]
    return [
        *(Peer(name=name, group=STREAMS, precision=precision, open=opener) for name, precision, opener in rows),
        Peer(
            name="continual-inference FP32, frame by frame",
            group=STREAMS,
            precision="FP32",
            open=frame_wise,
            note="one frame at a time, also where several are there: its forward_steps is a loop; no BF16 was tried; "
            "states are inside the module, so cameras need a copy each",
        ),
    ]


def _clips() -> Sequence[Peer]:
    longest = _CLIPS[-1]
    rows: list[_Row] = [(f"ONNX Runtime FP32, {longest} frames", "FP32", partial(on_onnxruntime, frames=longest))]
    for name, (precision, _) in _PRECISIONS.items():
        for frames in _CLIPS:
            rows.append((clip_name(name, frames), name, partial(on_openvino, precision=precision, frames=frames)))
    return [
        Peer(
            name=name,
            group=CLIPS,
            precision=precision,
            open=opener,
            note=_FEWER_PRODUCTS if name in {clip_name(precision, CHUNKS[0]) for precision in _PRECISIONS} else "",
        )
        for name, precision, opener in rows
    ]


def _two_cameras() -> Sequence[Peer]:
    return [
        Peer(
            name=f"{name} {placing.name}",
            group=TWO_CAMERAS,
            precision=name,
            open=partial(placed, precision=precision, placing=placing),
        )
        for name, (precision, _) in _PRECISIONS.items()
        for placing in PLACINGS
    ]
