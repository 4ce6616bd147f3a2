"""One TensorRT engine from one ONNX graph, on the device that will run it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmsn_export.engine_network import ParsedNetwork, check_precision, is_strongly_typed, new_builder, parse_network
from cmsn_export.engine_progress import BuildProgress, attach, stopped_by_signals
from cmsn_runtime.backends.shapes import Shapes
from cmsn_runtime.backends.tensorrt.library import new_logger
from cmsn_runtime.errors import BackendError, OutputError
from cmsn_runtime.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderSettings:
    """How TensorRT builds, for every graph.

    workspace_bytes: maximum memory of a kernel; None for all of the device.
    level: optimisation level 0 (quick build) to 5 (longest search); None for TensorRT's default, 3.
    version_compatible: later versions of TensorRT may load the engine; it contains a lean runtime, code of its own.
    timing_cache: file of measured kernels, read and written, which shortens the next build.
    """

    workspace_bytes: int | None = None
    level: int | None = None
    version_compatible: bool = False
    timing_cache: Path | None = None


def build_plan(
    trt: Any,
    onnx: bytes,
    shapes: Shapes,
    settings: BuilderSettings,
    *,
    graph: str,
    precision: str,
    progress: BuildProgress | None = None,
    configure: Any = None,
) -> bytes:
    """Build an engine -> its plan.

    precision: that of the graph, "fp32", "fp16" ...; checked in TensorRT's layers.
    configure: called last, with TensorRT's configuration, for targets that need more settings.
    Raises BackendError where a layer is refused or has the wrong precision, or the build fails;
    Stopped or KeyboardInterrupt where the user stopped it.
    """
    logger = new_logger(trt)
    builder = new_builder(trt, logger)
    parsed = parse_network(trt, builder, logger, onnx, shapes, graph=graph)
    if is_strongly_typed(trt):  # before TensorRT 10 types are chosen later, during the build
        check_precision(parsed, precision, graph=graph)
    config = _config(trt, builder, settings, precision=precision)
    _add_profile(builder, config, shapes)
    cache = _load_cache(config, settings.timing_cache)
    if configure is not None:
        configure(config)
    monitor = attach(trt, config, progress)
    with stopped_by_signals(monitor):
        plan = builder.build_serialized_network(parsed.network, config)
    if plan is None:
        raise BackendError(
            f"TensorRT {trt.__version__} could not build the {graph} engine: {logger.said()}; give it more memory with "
            "--workspace or close other programs; if that does not help, report this"
        )
    _save_cache(config, cache, settings.timing_cache)
    return bytes(plan)


def inspect_graph(trt: Any, onnx: bytes, shapes: Shapes, *, graph: str, precision: str) -> ParsedNetwork:
    """Only parse a graph, fix its shapes and check its precision. Raises BackendError as `build_plan` does."""
    logger = new_logger(trt)
    parsed = parse_network(trt, new_builder(trt, logger), logger, onnx, shapes, graph=graph)
    check_precision(parsed, precision, graph=graph)
    return parsed


def _config(trt: Any, builder: Any, settings: BuilderSettings, *, precision: str) -> Any:
    config = builder.create_builder_config()
    flags = trt.BuilderFlag
    # FP32 means FP32: by default matrix products lose 13 bits on GPUs since Ampere.
    config.clear_flag(flags.TF32)
    narrow = getattr(flags, precision.upper(), None)  # FP16, BF16, INT8; gone in 11
    if not is_strongly_typed(trt):  # 8.6
        config.set_tactic_sources(_own_kernels(trt))
        if narrow is not None:
            config.set_flag(narrow)
    if settings.version_compatible:
        config.set_flag(flags.VERSION_COMPATIBLE)  # the plan then carries the lean runtime that loads it
    if settings.workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_bytes)
    if settings.level is not None:
        config.builder_optimization_level = settings.level
    return config


def _own_kernels(trt: Any) -> int:
    """Kernels of TensorRT itself. The other sources need cuDNN 8 and cuBLAS 12, which 8.6 uses for nothing else."""
    sources = (trt.TacticSource.JIT_CONVOLUTIONS, trt.TacticSource.EDGE_MASK_CONVOLUTIONS)
    return sum(1 << int(source) for source in sources)


def _add_profile(builder: Any, config: Any, shapes: Shapes) -> None:
    """Set the ranges of inputs that have more than one shape; without such inputs no profile is needed."""
    ranges = {name: sizes for name, sizes in shapes.items() if sizes[0] != sizes[2]}
    if not ranges:
        return
    profile = builder.create_optimization_profile()
    for name, sizes in ranges.items():
        profile.set_shape(name, *sizes)
    config.add_optimization_profile(profile)


def _load_cache(config: Any, path: Path | None) -> Any:
    """Give the builder the measurements of earlier builds; a cache of another device or version is ignored."""
    if path is None:
        return None
    try:
        kept = path.read_bytes()
    except OSError:
        kept = b""
    for content in (kept, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    return None


def _save_cache(config: Any, cache: Any, path: Path | None) -> None:
    if cache is None or path is None:
        return
    with suppress(OSError, OutputError):  # a cache only saves time: its fault must not lose the engine
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, bytes(config.get_timing_cache().serialize()))
