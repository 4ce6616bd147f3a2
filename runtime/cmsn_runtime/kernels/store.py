"""Keeps the machine code of kernels in the user's cache, where only the user can write."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cmsn_runtime.backends.engine_cache import cache_folder, made_folder, require_private
from cmsn_runtime.errors import BackendError, OutputError
from cmsn_runtime.files import write_whole

_FORMAT = 1
_HASH_BYTES = 32
_LONGEST = 2**24  # bytes


@dataclass(frozen=True, slots=True)
class MachineCode:
    """symbol: the name of its function. code: an object file for this machine."""

    symbol: str
    code: bytes


def store_folder() -> Path | None:
    """The folder of all kernels; None where it cannot be written, or others could write what is run as this user."""
    folder = cache_folder() / "kernels"
    try:
        if not made_folder(folder):
            return None
        require_private(folder)
    except BackendError:
        return None
    return folder


def file_name(name: str, *facts: str) -> str:
    """The file of a kernel. facts: all that its machine code depends on, besides this machine and numba."""
    return f"{name.strip('_')}-{hashlib.sha256(repr((facts, *_machine())).encode()).hexdigest()[:32]}.o"


def read_code(file: Path) -> MachineCode | None:
    """What was kept; None where there is nothing, or it is not as it was written."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LONGEST)
    except OSError:
        return None
    checksum, content = raw[:_HASH_BYTES], raw[_HASH_BYTES:]
    symbol, separator, code = content.partition(b"\0")
    if hashlib.sha256(content).digest() != checksum or not separator:
        return None
    return MachineCode(symbol.decode(), code)


def write_code(file: Path, found: MachineCode) -> None:
    """Keep it; where that is impossible, the next run compiles again."""
    content = found.symbol.encode() + b"\0" + found.code
    try:
        write_whole(file, hashlib.sha256(content).digest() + content)
    except OutputError:
        return


def _machine() -> tuple[object, ...]:
    """The machine, and what compiles for it. Code for one processor may end a program on another."""
    from llvmlite import binding  # type: ignore[import-untyped]

    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    return (
        _FORMAT,
        version("numba"),
        version("llvmlite"),
        sys.implementation.cache_tag,
        platform.system(),
        binding.get_process_triple(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
        settings,
    )
