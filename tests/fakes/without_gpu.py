"""What tensorrt-rtx must be told where there is no GPU to ask."""

from __future__ import annotations

from typing import Any


def for_a_gpu_of_2020(config: Any) -> None:
    """Compile for compute capability 8.6."""
    import tensorrt_rtx as trt  # type: ignore[import-untyped]

    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
