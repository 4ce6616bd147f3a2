"""Declares a function as a kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Generic, ParamSpec, cast

from cmsn_runtime.kernels.signature import Signature, parse_signature

Parameters = ParamSpec("Parameters")

_opening = threading.Lock()  # numba and LLVM work on one kernel at a time


class Kernel(Generic[Parameters]):
    """A function as machine code, which runs without the interpreter lock; see `kernel`.

    Its first call loads it, or compiles it where that has not been done before. Several threads may call it.
    """

    def __init__(self, function: Callable[Parameters, int], signature: Signature) -> None:
        update_wrapper(self, function)
        self.signature = signature
        self._function = function
        self._opened: Callable[Parameters, int] | None = None

    def __call__(self, *values: Parameters.args, **named: Parameters.kwargs) -> int:
        """Arguments by position. Raises TypeError for arrays of another type or order than the signature's."""
        return (self._opened or self._open())(*values, **named)

    def _open(self) -> Callable[Parameters, int]:
        from cmsn_runtime.kernels.opening import opened

        with _opening:
            if self._opened is None:
                function = opened(cast(FunctionType, self._function), self.signature)
                self._opened = cast("Callable[Parameters, int]", function)
            return self._opened


def kernel(signature: str) -> Callable[[Callable[Parameters, int]], Kernel[Parameters]]:
    """Have numba compile a function, once per machine, user and version; later runs load it without numba.

    signature: see parse_signature. Importing numba and unpacking what it has cached takes 0.4 s of CPU and 70 MB;
    loading the machine code alone takes a tenth of it. So that the code needs nothing of numba's, a kernel allocates
    nothing: its caller passes arrays for its results, and it returns a number. It calls only functions of its own
    file, which are compiled with it.

    Kernels do not check bounds: their callers check shapes. Division follows IEEE (a check for zero would keep the
    loops from being vectorised), and no fastmath: results are the same everywhere.
    """
    parsed = parse_signature(signature)
    return lambda function: Kernel(function, parsed)
