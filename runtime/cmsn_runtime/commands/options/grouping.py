"""Passes related options of the command line as one argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Command = Callable[..., None]
Decorator = Callable[[Command], Command]


def grouped(name: str, kind: type[DataclassInstance], *options: Decorator) -> Decorator:
    """Add click options to a command; their values are passed as the one argument `name`: an instance of `kind`.

    kind: a dataclass with a field per option, named as the option's parameter.
    """
    wanted = [field.name for field in fields(kind)]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gathered(**values: Any) -> None:
            group = kind(**{field: values.pop(field) for field in wanted})
            command(**{name: group}, **values)

        decorated: Command = gathered
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate
