"""Frame counters for networks that compute in int32."""

from __future__ import annotations

_FAR = 2**20  # frames; longer than any receptive field
_END_UNKNOWN = 2**30  # frames


def counters(position: int, length: int, *, stride: int) -> tuple[int, int]:
    """Position and length within an int32, for streams of any length: only the distance to either end matters.

    All positions beyond the receptive field are equivalent. TensorRT 8.6 has no int64; OpenVINO turns int64 into int32,
    and a length of 2**40 into 0, which masks every feature.
    """
    near = min(position, _FAR // stride * stride)
    return near, min(near + length - position, _END_UNKNOWN)
