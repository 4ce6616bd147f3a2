"""The parts of a run's CPU time: each is found, and none is counted twice."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from clips import pictures, write_clip

from cmsn_benchmarks.speed.cost import Case, Version
from cmsn_benchmarks.speed.cost_worker import NETWORKS, Meter


def test_every_part_of_a_run_has_its_time_and_the_networks_share_is_what_is_left(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures(60))
    case = Case("short", clip, ("--bundle", "demo", "--backend", "onnxruntime"))

    found = Version("this", sys.executable, tmp_path).figures(case)

    parts = {name: seconds for name, seconds in found.items() if name.startswith("steady.")}
    here = {"decode", "times", "convert", "prepare", "propose", "rank", "events", "extract", "stages"}
    assert {name for name in here if parts[f"steady.{name}"] > 0} == here
    assert sum(parts.values()) == pytest.approx(found["steady"])
    networks = sum(parts.get(f"steady.{name}", 0) for name in (*NETWORKS, "network threads"))
    assert found["share_of_steady"] == pytest.approx(1 - networks / found["steady"])
    assert found["whole"] > found["steady"] and found["start.imports"] > 0


def test_a_part_within_another_is_not_counted_to_that_one() -> None:
    meter = Meter()

    def spend() -> None:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass

    inner = meter.timed("inner", spend)

    def outer() -> None:
        inner()
        spend()

    meter.timed("outer", outer)()

    assert meter.seconds["inner"] == pytest.approx(0.02, abs=0.01)
    assert meter.seconds["outer"] == pytest.approx(0.02, abs=0.01)
