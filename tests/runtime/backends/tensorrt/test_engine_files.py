"""Engines on disk: what was built is what is read, and nothing else is."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmsn_runtime.backends.tensorrt.engine_files import (
    EngineKey,
    engine_file,
    read_engine,
    read_sidecar,
    sidecar_file,
    write_engine,
)
from cmsn_runtime.errors import BackendError

KEY = EngineKey(
    onnx_sha256="a" * 64,
    precision="fp16",
    library="10.3.0.26",
    gpu="Orin",
    compute_capability="8.7",
    multiprocessors=8,
    shapes={"frames": ((1, 8, 48, 64, 3),) * 3, "position": ((1,), (4,), (4,))},
    level=3,
)
PLAN = bytes(range(256)) * 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_engine(tmp_path / "engines", "extractor", PLAN, KEY)
    return tmp_path / "engines"


def read(folder: Path) -> bytes:
    return read_engine(folder, "extractor", command="cmsn build x.cmsn").plan


def test_an_engine_is_read_back_as_it_was_written(folder: Path) -> None:
    engine = read_engine(folder, "extractor", command="")
    assert (engine.key, engine.plan) == (KEY, PLAN)
    assert sorted(path.name for path in folder.iterdir()) == ["extractor.engine", "extractor.engine.json"]


@pytest.mark.parametrize("position", [0, 1, 700, len(PLAN) - 1])
def test_a_flipped_bit_of_an_engine_is_refused(folder: Path, position: int) -> None:
    plan = bytearray(PLAN)
    plan[position] ^= 1
    engine_file(folder, "extractor").write_bytes(plan)
    with pytest.raises(BackendError, match=r"damaged or another file.*cmsn build x\.cmsn"):
        read(folder)


@pytest.mark.parametrize("length", [0, 1, len(PLAN) - 1])
def test_a_truncated_engine_is_refused(folder: Path, length: int) -> None:
    engine_file(folder, "extractor").write_bytes(PLAN[:length])
    with pytest.raises(BackendError, match=f"{length} bytes"):
        read(folder)


def test_a_missing_engine_names_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"holds no engine of the extractor graph.*cmsn build x\.cmsn"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "{",
        '{"version": 1}',
        "[" * 100_000,
        json.dumps({"version": 1, "bytes": 1, "sha256": "", "key": {}, "more": 1}),
    ],
)
def test_an_engine_without_a_sidecar_that_can_be_read_is_not_used(folder: Path, content: str | None) -> None:
    if content is None:
        sidecar_file(folder, "extractor").unlink()
    else:
        sidecar_file(folder, "extractor").write_text(content)
    assert read_sidecar(folder, "extractor") is None
    with pytest.raises(BackendError, match="missing or not of version 1"):
        read(folder)


def test_a_sidecar_of_another_version_is_refused(folder: Path) -> None:
    path = sidecar_file(folder, "extractor")
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(BackendError, match="not of version 1"):
        read(folder)


def test_an_interrupted_write_leaves_no_pair_that_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new engine is there and its sidecar is not: the old sidecar does not fit, and the pair is not used."""
    real, calls = os.replace, []

    def cut(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        write_engine(folder, "extractor", PLAN + b"new", KEY)
    with pytest.raises(BackendError, match="damaged or another file"):
        read(folder)
    assert not [path for path in folder.iterdir() if path.name.endswith(".partial")]


def test_an_engine_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match="--engines"):
        write_engine(tmp_path / "file", "extractor", PLAN, KEY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("onnx_sha256", "b" * 64),
        ("precision", "fp32"),
        ("library", "10.3.0.27"),
        ("gpu", "Thor"),
        ("compute_capability", "11.0"),
        ("multiprocessors", 16),
        ("shapes", {"frames": ((1, 16, 48, 64, 3),) * 3}),
        ("level", None),
        ("workspace_bytes", 2**30),
        ("version_compatible", True),
    ],
)
def test_a_difference_in_any_item_of_the_key_is_reported(name: str, value: Any) -> None:
    other = replace(KEY, **{name: value})
    (difference,) = KEY.differences(other)
    assert difference.startswith(f"{name}: ")
    assert KEY.differences(KEY) == []
