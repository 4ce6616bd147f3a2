"""A bundle opened on one of the GPU stacks, or on a reference in FP32."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cmsn_benchmarks.gpu.stacks import StackName
from cmsn_export.building import BuildPlan, build_engines
from cmsn_export.engine_building import BuilderSettings
from cmsn_runtime.backends.shapes import EngineSizes
from cmsn_runtime.backends.tensorrt.library import load_tensorrt
from cmsn_runtime.bundle import Bundle, open_bundle
from cmsn_runtime.bundle_files import read_manifest

RunnerName = Literal["torch", "ort-cuda", "ort-tensorrt", "tensorrt", "cpu"]


def open_on(runner: RunnerName, bundle: Path, *, engines: Path) -> Bundle:
    """Open a bundle. engines: folder of its TensorRT engines, or where ONNX Runtime keeps its own.

    torch: on CUDA, in FP32. cpu: ONNX Runtime without a GPU, in FP32. The others run the FP16 graphs.
    """
    if runner == "torch":
        return on_torch(bundle, device="cuda")
    kind = "onnxruntime" if runner == "cpu" else runner
    # Version-compatible engines contain code of their own; these were built by the same user.
    return open_bundle(bundle, backend=kind, engines=engines, engine_code=kind == "tensorrt")


def on_torch(bundle: Path, *, device: str) -> Bundle:
    """A bundle whose networks torch runs in FP32."""
    from cmsn_benchmarks.gpu.weights import torch_model  # imported here: TensorRT does not need torch
    from cmsn_training.torch_backend import TorchBackend

    return Bundle(bundle, read_manifest(bundle), TorchBackend(torch_model(bundle, device=device)))


def build_all(
    bundle: Path, engines: Path, *, cameras: int = 1, version_compatible: bool = False, cache: Path | None = None
) -> None:
    """Build the FP16 engines of a bundle that are missing or do not fit. cameras: maximum per batch."""
    plan = BuildPlan(
        bundle=bundle,
        engines=engines,
        sizes=EngineSizes(cameras=cameras),
        builder=BuilderSettings(version_compatible=version_compatible, timing_cache=cache),
    )
    list(build_engines(load_tensorrt(("tensorrt",)), plan))


def reference_for(stacks: set[StackName], tested: RunnerName) -> RunnerName:
    """The reference for a runner: torch on CUDA where it is available and not itself tested."""
    return "torch" if "torch" in stacks and tested != "torch" else "cpu"
