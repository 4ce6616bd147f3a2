"""What a kernel is compiled from: any change that may matter gives another description."""

from __future__ import annotations

from types import FunctionType
from typing import cast

import pytest

from cmsn_runtime.kernels.source import Source, source_of

WHOLE = """
from enum import IntEnum
import math
class Stage(IntEnum):
    FIRST = 1
LIMIT = 2.0
OTHERS = [1]
def part(value): return value + 1
def kernel(value): return part(value) + math.floor(LIMIT) + Stage.FIRST
def odd(value): return OTHERS
"""


def source(text: str, name: str = "kernel") -> Source:
    names: dict[str, object] = {"__name__": "some.module"}
    exec(text, names)
    return source_of(cast(FunctionType, names[name]))


def test_the_same_text_has_the_same_description() -> None:
    assert source(WHOLE).described() == source(WHOLE.replace("\nLIMIT", "\n\nLIMIT")).described()
    assert list(source(WHOLE).functions) == ["kernel", "part"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("part(value) + math", "part(value) - math"),
        ("value + 1", "value + 2"),
        ("FIRST = 1", "FIRST = 3"),
        ("LIMIT = 2.0", "LIMIT = 4.0"),
        ("math.floor", "math.ceil"),
        ("def part(value)", "def part(value=3)"),
    ],
)
def test_a_change_of_what_is_compiled_changes_the_description(old: str, new: str) -> None:
    assert source(WHOLE).described() != source(WHOLE.replace(old, new)).described()


def test_a_value_that_cannot_be_described_is_refused() -> None:
    with pytest.raises(TypeError, match="refers to OTHERS, a list; it may refer to"):
        source(WHOLE, "odd")
