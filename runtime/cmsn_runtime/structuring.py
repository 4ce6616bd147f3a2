"""Structures JSON and TOML into frozen dataclasses, strictly: a value that does not fit is refused with its path.

cattrs by default is lenient: int("3"), bool("no"), tuple("ab"). Every kind of value in our files has a hook here.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Literal, TypeVar, get_args, get_origin

from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, IterableValidationError
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn

from cmsn_runtime.checking import FieldError, shown
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.secrets import Address, Secret, expanded_text
from cmsn_runtime.text import one_line

Structured = TypeVar("Structured")

# Bounded digits: Fraction("1e999999999") would compute for hours. These hold times in nanoseconds times frame rates.
_RATE = re.compile(r"-?[0-9]{1,40}(/[1-9][0-9]{0,39})?")


class _MismatchError(ValueError):
    """A value of the wrong kind for its field. value: the given one. allowed: what the field takes, in words.

    private: the message without the value. hidden: there is no other.
    """

    def __init__(self, value: object, allowed: str, *, hidden: bool = False) -> None:
        self.private = f"is {_KINDS.get(type(value), 'a value')}, which is not shown here; it must be {allowed}"
        super().__init__(self.private if hidden else f"is {shown(value)}; it must be {allowed}")


# How a value is called where it may hold a secret.
_KINDS: dict[type[object], str] = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}


def structure(content: object, kind: type[Structured], *, path: str = "", private: bool = False) -> Structured:
    """The result of `json.loads` or `tomllib.loads` -> a dataclass (or any type made of the kinds below).

    dataclass: an object with its fields and no others. tuple: a list. dict and Mapping: an object. float: a finite
    number; int and bool: only themselves. Fraction: text such as "25" or "30000/1001". Any and object: any value.
    Secret and Address: text, in which ${NAME} is replaced by that environment variable (see secrets.expanded_text); a
    message never shows it.
    path: that of the content itself, which precedes the names of its fields in messages. private: values may be
    passwords in the wrong place, so no message shows one that is of the wrong kind.
    Raises SettingsError that names the path of the first field at fault, in one line.
    """
    try:
        return _CONVERTER.structure(content, kind)
    except Exception as error:  # cattrs raises groups, and passes on what a hook or a dataclass raises
        faults = list(_faults(error, path, private))
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise SettingsError(faults[0] + more) from (None if private else error)


def _faults(error: BaseException, path: str, private: bool) -> Iterator[str]:
    """One line for each field at fault below `path`."""
    path += _steps(error)
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        # A misspelt field is also missing, which says less.
        for nested in sorted(error.exceptions, key=lambda each: not isinstance(each, ForbiddenExtraKeysError)):
            yield from _faults(nested, path, private)
    else:
        yield one_line(_fault(error, path.removeprefix("."), private))


def _steps(error: BaseException) -> str:
    """The path from the group that contains an error to the error itself: ".field", ".key" or "[index]"."""
    steps = []
    for note in getattr(error, "__notes__", []):
        if isinstance(note, AttributeValidationNote):
            steps.append(f".{note.name}")
        elif isinstance(note, IterableValidationNote):
            steps.append(f".{note.index}" if str(note.index).isidentifier() else f"[{shown(note.index, most=40)}]")
    return "".join(reversed(steps))  # an error that passed several places was noted by the innermost first


def _fault(error: BaseException, path: str, private: bool) -> str:
    where = path or "the content"
    if isinstance(error, KeyError):  # how cattrs reports a missing field
        return f"{where} is missing"
    if isinstance(error, ForbiddenExtraKeysError):
        names = ", ".join(shown(name, most=40) for name in sorted(error.extra_fields)[:3])
        known = ", ".join(item.name for item in fields(error.cl))
        return f"{where} holds {names}, which is unknown; its fields are {known}"
    if isinstance(error, FieldError):
        return f"{path}.{error}".removeprefix(".")
    if isinstance(error, _MismatchError):
        return f"{where} {error.private if private else error}"
    return f"{path}: {error}" if path else str(error)


def _integer(value: object, _: object) -> int:
    if type(value) is not int:
        raise _MismatchError(value, "an integer")
    return value


def _number(value: object, _: object) -> float:
    if type(value) not in (int, float):
        raise _MismatchError(value, "a number")
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _MismatchError(value, "a finite number")
    return number


def _truth(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise _MismatchError(value, "true or false")
    return value


def _anything(value: object, _: object) -> object:
    return value


def _text(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise _MismatchError(value, "text")
    return value


def _secret(value: object, kind: type[Secret]) -> Secret:
    if not isinstance(value, str):
        raise _MismatchError(value, "text", hidden=True)
    return kind(expanded_text(value))


def _rate(value: object, _: object) -> Fraction:
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise _MismatchError(value, 'an exact number as text, such as "25" or "30000/1001"')
    return Fraction(value)


def _choice(value: object, kind: Any) -> Any:
    if not isinstance(value, str) or value not in get_args(kind):
        raise _MismatchError(value, "one of " + ", ".join(get_args(kind)))
    return value


def _list(value: object, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise _MismatchError(value, "a list")
    kinds = get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise _MismatchError(value, f"a list of {len(kinds)}")
    return tuple(_item(item, each, index) for index, (item, each) in enumerate(zip(value, kinds, strict=True)))


def _mapping(value: object, kind: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _MismatchError(value, "an object")
    return {key: _item(item, get_args(kind)[1], key) for key, item in value.items()}


def _item(value: object, kind: Any, place: int | str) -> Any:
    """One item of a list or an object; what it raises carries its place."""
    try:
        return _CONVERTER.structure(value, kind)
    except Exception as error:
        note = IterableValidationNote(f"at {place}", place, kind)
        # add_note is of Python 3.11; cattrs itself sets the notes of older ones like this.
        error.__notes__ = [*getattr(error, "__notes__", []), note]
        raise


def _dataclass(kind: type[Any]) -> Callable[[object, object], Any]:
    """A hook that takes an object for a dataclass; cattrs' own would look for the fields of a list one by one."""
    from_fields = make_dict_structure_fn(
        kind, _CONVERTER, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True
    )

    def hook(value: object, _: object) -> Any:
        if not isinstance(value, Mapping):
            raise _MismatchError(value, "an object")
        return from_fields(value, kind)

    return hook


def _originates(origin: object, kind: object) -> bool:
    """Whether a type is `origin` of something: tuple[int, int] is of tuple."""
    return get_origin(kind) is origin


_CONVERTER = Converter(detailed_validation=True)
for _kind, _hook in (
    (int, _integer),
    (float, _number),
    (bool, _truth),
    (str, _text),
    (Fraction, _rate),
    (Secret, _secret),
    (Address, _secret),
):
    _CONVERTER.register_structure_hook(_kind, _hook)
for _origin, _generic_hook in ((Literal, _choice), (tuple, _list), (dict, _mapping), (Mapping, _mapping)):
    _CONVERTER.register_structure_hook_func(partial(_originates, _origin), _generic_hook)
_CONVERTER.register_structure_hook_func(partial(operator.is_, object), _anything)
_CONVERTER.register_structure_hook_factory(is_dataclass, _dataclass)
