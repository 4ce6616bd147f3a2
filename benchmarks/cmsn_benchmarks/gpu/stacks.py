"""Which GPU stacks work on this machine, found by using each of them once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from cmsn_runtime.backends.onnxruntime.provider import Provider
from cmsn_runtime.backends.tensorrt.driver import device_facts
from cmsn_runtime.backends.tensorrt.library import load_tensorrt
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_graph, read_manifest
from cmsn_runtime.errors import BackendError
from cmsn_runtime.manifest.contents import FULL_PRECISION

StackName = Literal["torch", "ort-cuda", "ort-tensorrt", "tensorrt", "builder"]


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack. found: whether it works. about: its version and device, or why it does not work; no paths."""

    name: StackName
    found: bool
    about: str


@lru_cache(maxsize=1)
def find_stacks() -> dict[StackName, Stack]:
    """All five, each found or not; tested once per process.

    torch: sees a GPU through CUDA. ort-cuda, ort-tensorrt: ONNX Runtime whose provider loads.
    tensorrt: engines run (with pycuda and a driver). builder: they can also be built.
    """
    return {name: _stack(name, look) for name, look in _LOOKS.items()}


def without_paths(text: str) -> str:
    """One line in which every path is reduced to its last part."""
    return re.sub(r"(?<![\w.])(?:[A-Za-z]:)?[/\\][^\s'\":;,()]*[/\\]", "", " ".join(text.split()))


def _stack(name: StackName, look: Callable[[], str]) -> Stack:
    """The stack, found or not: a broken library counts as absent, with its error as the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Stack(name, True, without_paths(look()))
        except ImportError as error:
            return Stack(name, False, without_paths(f"not installed ({error})"))
        except Exception as error:
            return Stack(name, False, without_paths(str(error) or type(error).__name__))


def _torch() -> str:
    import torch

    if torch.version.cuda is None:
        raise BackendError(f"torch {torch.__version__} was built without CUDA")
    if not torch.cuda.is_available():
        raise BackendError(f"torch {torch.__version__} finds no GPU")
    torch.zeros(1, device="cuda")
    return f"torch {torch.__version__} on {torch.cuda.get_device_name()}"


def _onnxruntime(kind: Literal["cuda", "tensorrt"]) -> str:
    """Open a session of a real graph: a provider that was compiled in may still fail to load."""
    import onnxruntime  # type: ignore[import-untyped]

    graph = read_graph(DEMO_BUNDLE, read_manifest(DEMO_BUNDLE).variant(FULL_PRECISION).graphs["stages"])
    provider = Provider(kind)
    provider.prepare()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(graph, options, providers=provider.listed("stages"), enable_fallback=0)
    provider.check(session, "stages")
    return f"ONNX Runtime {onnxruntime.__version__} ({session.get_providers()[0]})"


def _tensorrt(*names: str) -> str:
    trt: Any = load_tensorrt(names)
    facts = device_facts()
    return f"TensorRT {trt.__version__} on {facts.name} (compute capability {facts.compute_capability})"


_LOOKS: dict[StackName, Callable[[], str]] = {
    "torch": _torch,
    "ort-cuda": lambda: _onnxruntime("cuda"),
    "ort-tensorrt": lambda: _onnxruntime("tensorrt"),
    "tensorrt": lambda: _tensorrt("tensorrt", "tensorrt_lean"),
    "builder": lambda: _tensorrt("tensorrt"),
}
