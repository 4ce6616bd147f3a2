"""Opens a kernel: from the cache, by compiling it, or by numba itself."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

from cmsn_runtime.kernels.signature import Signature
from cmsn_runtime.kernels.source import Source, source_of
from cmsn_runtime.kernels.store import file_name, read_code, store_folder, write_code

# numba and LLVM are imported inside the functions: numba takes 0.4 s of CPU.


def opened(function: FunctionType, signature: Signature) -> Callable[..., int]:
    """The kernel, ready to run.

    Where its machine code cannot be kept or cannot run alone, numba runs it, with a cache of its own.
    """
    source = source_of(function)
    folder = store_folder()
    if folder is None:
        return _by_numba(source, signature)
    file = folder / file_name(function.__name__, signature.text, source.described())
    found = read_code(file)
    if found is None:
        from cmsn_runtime.kernels.compiling import machine_code

        found = machine_code(source, signature)
        if found is None:
            return _by_numba(source, signature)
        write_code(file, found)
    from cmsn_runtime.kernels.loading import loaded

    return loaded(found, signature)


def _by_numba(source: Source, signature: Signature) -> Callable[..., int]:
    from cmsn_runtime.kernels.compiling import by_numba

    return by_numba(source, signature)
