"""Loads machine code into the process, by LLVM alone."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from llvmlite import binding  # type: ignore[import-untyped]

from cmsn_runtime.kernels.signature import Signature
from cmsn_runtime.kernels.store import MachineCode


def loaded(found: MachineCode, signature: Signature) -> Callable[..., int]:
    """The function of a kernel. Raises TypeError, as it is called, for arguments of another kind."""
    engine = _engine()
    engine.add_object_file(binding.ObjectFileRef.from_data(found.code))
    engine.finalize_object()
    call = ctypes.CFUNCTYPE(ctypes.c_int32, *signature.words)(engine.get_function_address(found.symbol))

    def run(*values: Any) -> int:
        result, fault = ctypes.c_int64(), ctypes.c_void_p()
        if call(ctypes.addressof(result), ctypes.addressof(fault), *signature.flattened(values)):
            raise SystemError(f"{found.symbol} raised an error")  # no kernel does
        return result.value

    return run


@cache
def _engine() -> Any:
    """LLVM's engine of this process, which owns the memory of all kernels."""
    with suppress(RuntimeError):  # since 0.45 it must not be called
        binding.initialize()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
