"""What a kernel is compiled from: its function, those that it calls, and the constants that they refer to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import CodeType, FunctionType, ModuleType


@dataclass(frozen=True, slots=True)
class Source:
    """functions: by name, the kernel's own first. constants: (name, value) as text, sorted."""

    functions: dict[str, FunctionType]
    constants: tuple[tuple[str, str], ...]

    def described(self) -> str:
        """A text that differs wherever the machine code may."""
        codes = [(_described(item.__code__), item.__defaults__) for item in self.functions.values()]
        return repr((codes, self.constants))


def source_of(function: FunctionType) -> Source:
    """Everything that is compiled for a kernel.

    Raises TypeError where it refers to what cannot be described: only functions of its own file, modules, enumerations
    and plain values can.
    """
    functions = {function.__name__: function}
    constants: dict[str, str] = {}
    waiting = [function]
    while waiting:
        current = waiting.pop()
        for name in current.__code__.co_names:
            value = current.__globals__.get(name)
            if isinstance(value, FunctionType) and value.__module__ == function.__module__:
                if name not in functions:
                    functions[name] = value
                    waiting.append(value)
            elif name in current.__globals__:
                constants[name] = _constant(name, value)
    return Source(functions, tuple(sorted(constants.items())))


def _constant(name: str, value: object) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, type) and issubclass(value, Enum):
        return repr([(name, item.value) for name, item in value.__members__.items()])
    if isinstance(value, int | float | str):
        return repr(value)
    raise TypeError(
        f"a kernel refers to {name}, a {type(value).__name__}; it may refer to functions of its own file, "
        "modules, enumerations, numbers and texts"
    )


def _described(code: CodeType) -> str:
    constants = [_described(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    return repr((code.co_name, code.co_varnames, code.co_names, code.co_code, constants))
