"""Compiles kernels with numba."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from numba import config, njit

from cmsn_runtime.kernels.signature import Signature
from cmsn_runtime.kernels.source import Source
from cmsn_runtime.kernels.store import MachineCode

# What machine code may need besides itself: of C's library, which every process has. LLVM resolves its own names.
_OUTSIDE = frozenset({"exp", "log", "log1p", "floor", "ceil", "memcpy", "memmove", "memset"})
_OF_LLVM = "llvm."
_OPTIONS = {"nogil": True, "error_model": "numpy"}
# Without memory management and without the entry for Python, both of which need numba in the process.
_ALONE = {**_OPTIONS, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def machine_code(source: Source, signature: Signature) -> MachineCode | None:
    """A kernel compiled by numba; None where it cannot run without numba, or this numba passes arguments otherwise."""
    try:
        dispatcher = _njit(source, _ALONE)
        dispatcher.compile(signature.text)
        (compiled,) = dispatcher.overloads.values()
        symbol: str = compiled.fndesc.llvm_func_name
        module, code = compiled.library._final_module, compiled.library._get_compiled_object()
        words = [_kind(str(item.type)) for item in module.get_function(symbol).arguments]
        outside = {item.name for item in module.functions if item.is_declaration}
    except Exception:  # of a numba with other internals, and of what it refuses to compile so
        return None
    needed = {name for name in outside if not name.startswith(_OF_LLVM)}
    if words != signature.kinds or not needed <= _OUTSIDE:
        return None
    return MachineCode(symbol, code)


def by_numba(source: Source, signature: Signature) -> Callable[..., int]:
    """A kernel that numba itself runs, and keeps in its own cache where it finds a folder to write.

    NUMBA_DISABLE_JIT leaves it to plain Python.
    """
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        plain: Callable[..., int] = next(iter(source.functions.values()))
        return plain
    try:
        function = _njit(source, {**_OPTIONS, "cache": True})
        function.compile(signature.text)
    except RuntimeError:  # it found none
        function = _njit(source, _OPTIONS)
    found: Callable[..., int] = function
    return found


def _njit(source: Source, options: dict[str, Any]) -> Any:
    """numba's dispatcher of a kernel; the functions that it calls are numba's too."""
    kernel = next(iter(source.functions.values()))
    names: dict[str, Any] = dict(kernel.__globals__)
    for name, function in source.functions.items():
        copy = FunctionType(function.__code__, names, name, function.__defaults__)
        copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
        names[name] = njit(**options)(copy)
    return names[kernel.__name__]


def _kind(kind: str) -> str:
    return "pointer" if kind == "ptr" or kind.endswith("*") else kind
