"""manifest.json: what is written is read back; whatever was altered or cannot be is refused with the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from cmsn_runtime.errors import BundleError, SettingsError
from cmsn_runtime.manifest.contents import GraphFile, Manifest, NetworkFacts, Parity, StateShape, Variant
from cmsn_runtime.manifest.reading import parse_manifest
from cmsn_runtime.manifest.writing import write_manifest

Content = dict[str, Any]


@pytest.fixture
def raw(plain_manifest: Manifest, tmp_path: Path) -> bytes:
    write_manifest(tmp_path, plain_manifest)
    return (tmp_path / "manifest.json").read_bytes()


def sealed(content: Content) -> bytes:
    """The canonical text of a manifest with the digest that belongs to it, written down a second time."""

    def canonical(value: Content) -> bytes:
        return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()

    rest = {key: value for key, value in content.items() if key != "digest"}
    return canonical({**rest, "digest": hashlib.sha256(canonical(rest)).hexdigest()})


def refused(raw: bytes) -> str:
    """The message of the refusal, whose form is always the same."""
    with pytest.raises(BundleError) as caught:
        parse_manifest(raw, bundle="tiny.cmsn")
    message = str(caught.value)
    assert message.startswith("tiny.cmsn: ")
    assert message.count("; ") >= 2
    assert "\n" not in message
    return message


def test_a_manifest_is_read_back_as_written(raw: bytes, plain_manifest: Manifest) -> None:
    assert parse_manifest(raw, bundle="tiny.cmsn") == plain_manifest


def test_a_manifest_from_before_a_setting_existed_has_its_default(raw: bytes, plain_manifest: Manifest) -> None:
    content = json.loads(raw)
    for name in ("provisional_steps", "alternative_looks"):
        del content["tracking"][name]
    assert parse_manifest(sealed(content), bundle="tiny.cmsn") == plain_manifest


def test_the_text_of_a_manifest_is_canonical_and_its_numbers_exact(raw: bytes) -> None:
    assert raw == sealed(json.loads(raw))
    assert json.loads(raw)["grid"]["fps"] == "30000/1001"


def test_writing_a_manifest_leaves_one_file(raw: bytes, tmp_path: Path) -> None:
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_every_flipped_byte_is_noticed(raw: bytes, mask: int) -> None:
    for position in range(len(raw)):
        refused(raw[:position] + bytes([raw[position] ^ mask]) + raw[position + 1 :])


def test_every_truncation_is_noticed(raw: bytes) -> None:
    for length in range(len(raw)):
        refused(raw[:length])


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda raw: raw + b" ", "was altered"),
        (lambda raw: raw.replace(b"\n", b"\r\n"), "was altered"),
        (lambda raw: b"\xef\xbb\xbf" + raw, "not JSON"),
        (lambda raw: raw.replace(b'"name": "tiny"', b'"name": "tiny",\n  "name": "tiny"', 1), "was altered"),
        (lambda raw: raw.replace(b'"tiny"', b'"\\ud800"', 1), "was altered"),
        (lambda raw: b"[" * 100_000, "not JSON"),
        (lambda raw: b'{"a":' * 700 + b"1" + b"}" * 700, ""),
        (lambda raw: b"[1, 2]", "holds a list"),
        (lambda raw: b"", "not JSON"),
        (lambda raw: b"\x80\x04\x95\x00", "not JSON"),
    ],
)
def test_a_manifest_that_is_not_canonical_is_refused(raw: bytes, alter: Callable[[bytes], bytes], reason: str) -> None:
    assert reason in refused(alter(raw))


@pytest.mark.parametrize("version", [0, 3, "2", 2.0, True, None])
def test_an_unknown_format_version_says_which_is_known(raw: bytes, version: object) -> None:
    message = refused(sealed({**json.loads(raw), "format_version": version}))
    assert f"format version is {version!r}" in message
    assert "version 1 and 2" in message
    assert "update cmsn" in message


def test_a_manifest_without_a_digest_is_refused(raw: bytes) -> None:
    content = json.loads(raw)
    del content["digest"]
    text = json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert "digest" in refused(text.encode())


def _put(content: Content, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for key in parents:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("surprise", 1),
        ("grid.surprise", 1),
        ("name", 7),
        ("created", "yesterday"),
        ("network.width", -1.0),
        ("network.width", True),
        ("network.feature_channels", 0),
        ("network.feature_channels", 3.0),
        ("network.feature_channels", True),
        ("network.delay_steps", -1),
        ("network.receptive_field_frames", 0),
        ("grid.fps", 25.3),
        ("grid.fps", "0"),
        ("grid.fps", "-25"),
        ("grid.fps", "25/0"),
        ("grid.fps", "1e999999999"),
        ("grid.stride", 0),
        ("grid.window", -96),
        ("preprocessing.crop", [16]),
        ("preprocessing.crop", [-16, 16]),
        ("preprocessing.resize", "ab"),
        ("preprocessing.resize", 7),
        ("network", [1]),
        ("states", [7]),
        ("states", {}),
        ("preprocessing.mean", [1.0, 2.0, "3"]),
        ("preprocessing.scale", 0.0),
        ("preprocessing.channels", "gbr"),
        ("proposals.sigma", -0.5),
        ("proposals.nms", "soft"),
        ("tracking.settle_steps", 0),
        ("variants", {}),
        ("variants", []),
        ("variants.fp32.graphs", {}),
        ("variants.fp32.graphs.other", {"file": "o.onnx", "bytes": 1, "sha256": "0" * 64, "precision": "fp32"}),
        ("variants.fp32.graphs.stages.bytes", -1),
        ("variants.fp32.graphs.stages.bytes", 2**40),
        ("variants.fp32.graphs.stages.sha256", "F" * 64),
        ("variants.fp32.graphs.stages.precision", "FP-32"),
        ("variants.fp32.graphs.stages.precision", "fp16"),
        ("variants.fp32.state_dtypes", {}),
        ("variants.fp32.state_dtypes", {"step": "float32", "other": "float32"}),
        ("variants.fp32.state_dtypes.step", "complex64"),
        ("variants.fp32.state_dtypes.step", ["float32"]),
        ("states", [{"name": "step", "shape": []}]),
        ("states", [{"name": "step", "shape": [0, 3]}]),
        ("states", [{"name": "step", "shape": [1, 3]}] * 2),
        ("variants.fp32.parity.errors", {"extractor": 0.0}),
        ("variants.fp32.parity.errors.extractor", -1e-9),
        ("variants.fp32.parity.errors.extractor", 2e-4),
        ("variants.fp32.parity.tolerance", -1.0),
    ],
)
def test_impossible_values_are_refused_by_name(raw: bytes, path: str, value: object) -> None:
    content = json.loads(raw)
    _put(content, path, value)
    message = refused(sealed(content))
    assert path.split(".")[-1] in message


def _places(content: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value inside of JSON."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))


@pytest.mark.parametrize("value", [None, True, -1, 1.5, 10**30, "x", "\x1b[2J", [], [[]], {}, {"": {"": None}}])
def test_any_value_of_any_field_is_read_or_refused_in_one_line(raw: bytes, value: object) -> None:
    for path in _places(json.loads(raw)):
        content = json.loads(raw)
        holder: Any = content
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
        try:
            parse_manifest(sealed(content), bundle="tiny.cmsn")
        except BundleError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 500


@pytest.mark.parametrize(
    "path", ["network.width", "preprocessing.scale", "variants.fp32.parity.tolerance", "training.seed"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused(raw: bytes, path: str, value: float) -> None:
    content = json.loads(raw)
    _put(content, path, value)
    assert "not a finite number" in refused(sealed(content))


def test_a_number_beyond_floats_is_refused(raw: bytes) -> None:
    assert "1e999 is not a finite number" in refused(raw.replace(b'"width": 0.5', b'"width": 1e999'))


@pytest.mark.parametrize(
    "name",
    ["../stages.onnx", "/tmp/stages.onnx", "a/b.onnx", "a\\b.onnx", "C:b.onnx", "..", ".", "", "a\0", "manifest.json"],
)
def test_a_graph_outside_the_folder_is_refused(raw: bytes, name: str) -> None:
    content = json.loads(raw)
    content["variants"]["fp32"]["graphs"]["stages"]["file"] = name
    message = refused(sealed(content))
    assert repr(name) in message
    assert "plain name" in message


@pytest.mark.parametrize("path", ["name", "network", "grid.fps", "states", "variants.fp32.parity", "training"])
def test_a_missing_field_is_named_with_its_path(raw: bytes, path: str) -> None:
    content = json.loads(raw)
    *parents, last = path.split(".")
    holder = content
    for key in parents:
        holder = holder[key]
    del holder[last]
    assert f"({path} is missing)" in refused(sealed(content))


def test_writing_refuses_what_cannot_be_read_back(plain_manifest: Manifest, tmp_path: Path) -> None:
    for training in ({"loss": float("nan")}, {"path": Path("x")}, {"text": "\ud800"}):
        with pytest.raises(BundleError, match="JSON"):
            write_manifest(tmp_path, replace(plain_manifest, training=training))
    with pytest.raises(BundleError, match="fps"):
        write_manifest(tmp_path, replace(plain_manifest, grid=replace(plain_manifest.grid, fps=Fraction(1, 10**40))))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "build",
    [
        lambda: GraphFile("../x.onnx", 1, "0" * 64),
        lambda: GraphFile("x.onnx", 0, "0" * 64),
        lambda: StateShape("conv1a", ()),
        lambda: NetworkFacts(float("nan"), 1, 0, 1),
        lambda: Parity({"extractor": 0.0, "stages": 0.0, "evaluator": float("nan")}, 1.0),
        lambda: Variant({}, Parity(dict.fromkeys(("extractor", "stages", "evaluator"), 0.0), 0.0), {}),
    ],
)
def test_parts_of_a_manifest_check_their_values_when_made(build: Callable[[], object]) -> None:
    with pytest.raises(SettingsError, match="must be"):
        build()
