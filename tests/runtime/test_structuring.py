"""JSON and TOML as dataclasses: strictly, and what is wrong is named by its path, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import pytest

from cmsn_runtime.checking import require
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.secrets import Secret
from cmsn_runtime.structuring import structure


@dataclass(frozen=True)
class Inner:
    rate: Fraction
    mode: Literal["slow", "fast"] = "slow"
    size: int = 1

    def __post_init__(self) -> None:
        require(self.size >= 1, "size", self.size, "at least 1")


@dataclass(frozen=True)
class Outer:
    inner: Inner
    share: float = 0.5
    on: bool = False
    name: str | None = None
    pair: tuple[int, float] = (1, 1.0)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    parts: tuple[Inner, ...] = ()
    free: dict[str, Any] = field(default_factory=dict)


def test_an_object_of_every_kind_of_field_is_read() -> None:
    content = {
        "inner": {"rate": "30000/1001", "mode": "fast", "size": 3},
        "share": 1,
        "on": True,
        "name": None,
        "pair": [2, 3],
        "shapes": {"a": [1, 2], "b": []},
        "parts": [{"rate": "25"}],
        "free": {"any": [1, {"thing": None}]},
    }
    assert structure(content, Outer) == Outer(
        Inner(Fraction(30000, 1001), "fast", 3),
        share=1.0,
        on=True,
        pair=(2, 3.0),
        shapes={"a": (1, 2), "b": ()},
        parts=(Inner(Fraction(25)),),
        free={"any": [1, {"thing": None}]},
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inner": {}}, "inner.rate is missing"),
        ({"inner": [1]}, "inner is [1]; it must be an object"),
        ({"inner": {"rate": 25}}, 'inner.rate is 25; it must be an exact number as text, such as "25" or "30000/1001"'),
        ({"inner": {"rate": "1e999999999"}}, "inner.rate is '1e999999999'; it must be an exact number"),
        ({"inner": {"rate": "9" * 41}}, "inner.rate is '9999999999"),
        ({"inner": {"rate": "1/0"}}, "inner.rate is '1/0'"),
        ({"inner": {"rate": "25", "mode": "quick"}}, "inner.mode is 'quick'; it must be one of slow, fast"),
        ({"inner": {"rate": "25", "mode": ["slow"]}}, "inner.mode is ['slow']; it must be one of slow, fast"),
        ({"inner": {"rate": "25", "size": 0}}, "inner.size is 0; it must be at least 1"),
        ({"inner": {"rate": "25", "size": True}}, "inner.size is True; it must be an integer"),
        ({"inner": {"rate": "25", "size": 2.0}}, "inner.size is 2.0; it must be an integer"),
        ({"inner": {"rate": "25", "size": "2"}}, "inner.size is '2'; it must be an integer"),
        ({"inner": {"rate": "25", "sise": 2}}, "inner holds 'sise', which is unknown; its fields are rate, mode, size"),
        ({"share": True}, "share is True; it must be a number"),
        ({"share": float("nan")}, "share is nan; it must be a finite number"),
        ({"share": 10**400}, "it must be a finite number"),
        ({"on": 1}, "on is 1; it must be true or false"),
        ({"name": 7}, "name is 7; it must be text"),
        ({"pair": [1]}, "pair is [1]; it must be a list of 2"),
        ({"pair": "ab"}, "pair is 'ab'; it must be a list"),
        ({"pair": [1, "x"]}, "pair[1] is 'x'; it must be a number"),
        ({"shapes": {"a": [1, "x"]}}, "shapes.a[1] is 'x'; it must be an integer"),
        ({"shapes": {"a\x1b[2J": 3}}, r"shapes['a\x1b[2J'] is 3; it must be a list"),
        ({"shapes": []}, "shapes is []; it must be an object"),
        ({"parts": {"rate": "25"}}, "parts is {'rate': '25'}; it must be a list"),
        ({"parts": [{"rate": "25"}, {"rate": "x"}]}, "parts[1].rate is 'x'"),
        ({"surprise": 1, "more": 2}, "the content holds 'more', 'surprise', which is unknown"),
        ({"name": 7, "share": "x"}, "(and 1 more)"),
        ({"name": ["x" * 1000]}, "...; it must be text"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_by_its_path(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        structure({"inner": {"rate": "25"}, **changes}, Outer)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("content", [None, 7, "text", [1]])
def test_anything_but_an_object_is_refused(content: object) -> None:
    with pytest.raises(SettingsError, match=r"the content is .*; it must be an object"):
        structure(content, Outer)


def test_the_prefix_precedes_the_path_of_a_field() -> None:
    with pytest.raises(SettingsError, match=r"^site\.inner\.rate is missing$"):
        structure({"inner": {}}, Outer, path="site")


@dataclass(frozen=True)
class Guarded:
    url: Secret | None = None
    options: dict[str, Secret] = field(default_factory=dict)
    size: int = 1


def test_a_secret_is_expanded_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMSN_TEST_PASSWORD", "c@nary/1")
    found = structure({"url": "rtsp://a:${CMSN_TEST_PASSWORD}@b", "options": {"key": "${CMSN_TEST_PASSWORD}"}}, Guarded)
    assert found.url is not None
    assert found.url.reveal() == "rtsp://a:c%40nary%2F1@b"
    assert found.options["key"].reveal() == "c@nary/1"
    assert "nary" not in repr(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"url": ["canary"]}, "a.url is a list, which is not shown here; it must be text"),
        ({"url": 4711}, "a.url is a number, which is not shown here; it must be text"),
        ({"options": {"key": ["canary"]}}, "a.options.key is a list, which is not shown here; it must be text"),
        ({"options": "canary"}, "a.options is text, which is not shown here; it must be an object"),
        ({"size": "canary"}, "a.size is text, which is not shown here; it must be an integer"),
        ("canary", "a is text, which is not shown here; it must be an object"),
        ({"url": "canary ${CMSN_NOT_SET}"}, "a.url: ${CMSN_NOT_SET} is not set"),
        ({"sise": "canary"}, "a holds 'sise', which is unknown"),
    ],
)
def test_no_message_shows_a_value_that_may_be_a_secret(content: object, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        structure(content, Guarded, path="a", private=True)
    assert message in str(caught.value) and "canary" not in str(caught.value)


@dataclass(frozen=True)
class Facts:
    shares: Mapping[str, float]
    free: Mapping[str, object]


def test_a_mapping_is_read_as_strictly_as_a_dict() -> None:
    free = {"name": "x", "sizes": [1, {"deep": None}]}
    assert structure({"shares": {"a": 1}, "free": free}, Facts) == Facts({"a": 1.0}, free)
    with pytest.raises(SettingsError, match=r"shares.a is '1'; it must be a number"):
        structure({"shares": {"a": "1"}, "free": {}}, Facts)
    with pytest.raises(SettingsError, match=r"free is \[1\]; it must be an object"):
        structure({"shares": {}, "free": [1]}, Facts)
