"""What a kernel takes, and how its machine code takes it."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_WHOLE = re.compile(r"int64\((?P<arguments>.*)\)")
_ARGUMENT = re.compile(r"(?P<name>int8|int32|int64|float32|float64)(?P<axes>\[(?::, )*::1\])?(?:, |$)")
_POINTER, _INTEGER, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
_KINDS: dict[type[Any], str] = {_POINTER: "pointer", _INTEGER: "i64", _REAL: "double"}
# How numba passes an array: the owner of its memory and its Python object (none: it only borrows it), size, bytes of an
# element, address, then its sides and its strides. https://numba.readthedocs.io/en/stable/developer/repr.html
_BEFORE_SIDES = (_POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER)
# A place for the result and one for an exception come before the arguments.
_RESULTS = (_POINTER, _POINTER)


@dataclass(frozen=True, slots=True)
class Argument:
    """dtype: of an array's elements or of a number. axes: 0 for a number."""

    dtype: np.dtype[Any]
    axes: int

    @property
    def words(self) -> tuple[type[Any], ...]:
        """The C types that it is passed as."""
        if self.axes:
            return _BEFORE_SIDES + (_INTEGER,) * (2 * self.axes)
        return (_REAL,) if self.dtype.kind == "f" else (_INTEGER,)

    def fits(self, value: Any) -> bool:
        """Whether machine code that checks nothing can take it."""
        if not self.axes:
            return isinstance(value, int | float | np.number)
        return (
            isinstance(value, np.ndarray)
            and value.dtype == self.dtype
            and value.ndim == self.axes
            and value.flags.c_contiguous
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """A kernel's arguments. text: as numba writes it; the result is always int64."""

    text: str
    arguments: tuple[Argument, ...]

    @property
    def words(self) -> tuple[type[Any], ...]:
        """The C types of the call."""
        return _RESULTS + tuple(word for argument in self.arguments for word in argument.words)

    @property
    def kinds(self) -> list[str]:
        """The same in LLVM's words."""
        return [_KINDS[word] for word in self.words]

    def flattened(self, values: tuple[Any, ...]) -> Iterator[Any]:
        """The words of the arguments. Raises TypeError for values of another kind."""
        if len(values) != len(self.arguments) or not all(
            argument.fits(value) for argument, value in zip(self.arguments, values, strict=True)
        ):
            shown = ", ".join(_shown(value) for value in values)
            raise TypeError(f"the kernel got ({shown}); it takes {self.text}")
        for argument, value in zip(self.arguments, values, strict=True):
            if argument.axes:
                yield from (None, None, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides)
            else:
                yield float(value) if argument.dtype.kind == "f" else int(value)


def parse_signature(text: str) -> Signature:
    """The signature in a text such as "int64(float64[:, ::1], int64)": contiguous arrays, int64 and float64 numbers.

    Raises ValueError.
    """
    whole = _WHOLE.fullmatch(text)
    found: list[Argument] = []
    rest = whole["arguments"] if whole else text
    while rest and whole and (match := _ARGUMENT.match(rest)):
        found.append(Argument(np.dtype(match["name"]), (match["axes"] or "").count(":, ") + bool(match["axes"])))
        rest = rest[match.end() :]
    if not whole or rest or any(not item.axes and item.dtype.itemsize != 8 for item in found):
        raise ValueError(f"{text!r} is no signature of a kernel; write one such as 'int64(float64[:, ::1], int64)'")
    return Signature(text, tuple(found))


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        order = "" if value.flags.c_contiguous else ", not contiguous"
        return f"{value.dtype}{list(value.shape)}{order}"
    return type(value).__name__
