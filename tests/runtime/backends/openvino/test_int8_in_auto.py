"""When `auto` may take INT8: once the bundle says what it costs, and that is little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmsn_runtime.backends.openvino.opening import CPU_INT8
from cmsn_runtime.backends.registry import Networks
from cmsn_runtime.bundle_files import locate_bundle, read_manifest
from cmsn_runtime.manifest.contents import Manifest
from cmsn_runtime.manifest.quality import Quality, Recall


def networks(manifest: Manifest) -> Networks:
    def unread(file: Any) -> bytes:
        raise AssertionError("nothing is read to find out whether it is there")

    return Networks(manifest=manifest, read=unread, engines=None, bundle_engines=Path(), build_command="")


def with_int8(recall: Recall | None, *, measured: bool = True) -> Manifest:
    manifest = read_manifest(locate_bundle("demo"))
    quality = Quality(backend="", videos=1, steps=1, stages=1.0, signal_to_noise=30.0, recall=recall)
    full = manifest.variant("fp32")
    extractor = replace(full.graphs["extractor"], file="extractor.int8.onnx", precision="int8")
    variant = replace(full, graphs={**full.graphs, "extractor": extractor}, quality=quality if measured else None)
    return replace(manifest, variants={**manifest.variants, "int8": variant})


def without_int8() -> Manifest:
    manifest = read_manifest(locate_bundle("demo"))
    return replace(manifest, variants={name: each for name, each in manifest.variants.items() if name != "int8"})


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (with_int8(Recall(10, 59.6, 60.0)), ""),
        (with_int8(Recall(10, 61.0, 60.0)), ""),
        (with_int8(Recall(10, 28.391, 28.891)), ""),
        (with_int8(Recall(10, 59.4, 60.0)), "it costs 0.60 points of AR@10, more than 0.5"),
        (with_int8(None), "it is not known how much recall it costs"),
        (with_int8(None, measured=False), "it is not known how much recall it costs"),
        (without_int8(), "the bundle has no INT8 variant"),
    ],
    ids=["little lost", "nothing lost", "just half a point", "more lost", "no recall", "not measured", "no variant"],
)
def test_it_is_there_only_where_little_is_lost(manifest: Manifest, expected: str) -> None:
    assert CPU_INT8.absence(networks(manifest)) == expected
