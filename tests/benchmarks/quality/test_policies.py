"""Many policies at once report what each of them reports alone, and no network runs more often than for one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cmsn_benchmarks.quality.policies import reports_by_policy
from cmsn_runtime.backends.asks import Extract, StepFeatures
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.sources.opening import open_source
from cmsn_training.evaluation.events import reports_of
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

POLICIES: dict[str, dict[str, object]] = {
    "the bundle's": {},
    "at once": {"tracking.settle_steps": 1},
    "late": {"tracking.settle_steps": 16, "tracking.provisional_steps": 8, "tracking.alternative_looks": 0},
}


def test_policies_share_the_networks_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render_streams(tmp_path, RenderSettings(seconds=20.0, seed=5), streams=1)
    (video,) = tmp_path.glob("*.mp4")
    with open_bundle("demo") as bundle:
        expected = {}
        for name, policy in POLICIES.items():
            with bundle.stream(chunk_frames=8, settings=policy) as stream, open_source(video) as source:
                events = [event for frame in source for event in stream.push(frame)]
                expected[name] = reports_of(events + stream.flush())
        extract = bundle.backend.extract
        asked: list[int] = []

        def counted(asks: Sequence[Extract]) -> list[StepFeatures]:
            asked.extend(ask.position for ask in asks)
            return extract(asks)

        monkeypatch.setattr(bundle.backend, "extract", counted)
        assert reports_by_policy(bundle, video, POLICIES) == expected
    assert expected["at once"] != expected["late"]
    assert len(asked) == len(set(asked)) > 40
