"""The parts of the growth benchmark: what they vary, what they measure, what the file holds."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from cmsn_benchmarks.growth import __main__ as growth
from cmsn_benchmarks.growth.fitting import fit_growth
from cmsn_benchmarks.growth.looping import looped
from cmsn_benchmarks.growth.proposals import REACHES, window_of
from cmsn_benchmarks.growth.series import Part, Series, by_size
from cmsn_benchmarks.speed.postprocessing import ordered_window, probabilities_of
from cmsn_runtime.proposing.pipeline import propose
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams


def series_of(exponent: float, *, least: float | None = None, most: float | None = None) -> Series:
    sizes = (1, 2, 4, 8)
    values = tuple((size**exponent, size**exponent) for size in sizes)
    return Series(name="time", unit="s", values=values, growth=fit_growth(sizes, values), least=least, most=most)


def test_a_looped_clip_is_decoded_as_its_frames_again_and_again(tmp_path: Path) -> None:
    render_streams(tmp_path / "clip", RenderSettings(seconds=2, seed=3), streams=1)
    clip = next((tmp_path / "clip").glob("*.mp4"))
    looped(clip, tmp_path / "looped.mp4", 3)
    (once, _), (thrice, times) = (_decoded(path) for path in (clip, tmp_path / "looped.mp4"))
    assert len(once) == 50
    assert [np.array_equal(found, once[index % 50]) for index, found in enumerate(thrice)] == [True] * 150
    assert times == [times[0] + Fraction(index, 25) for index in range(150)]


def test_windows_go_from_few_candidates_to_the_most() -> None:
    counts = [
        len(propose(probabilities_of(window_of(reach)), frontier=0, settings=ProposalSettings())) for reach in REACHES
    ]
    assert counts[0] < 10
    assert counts == sorted(counts)
    assert counts[-1] == 1058
    assert np.array_equal(window_of(REACHES[-1]), ordered_window())


def test_a_longer_window_has_more_actions_of_the_same_kind() -> None:
    counts = [
        len(propose(probabilities_of(stages), frontier=0, settings=ProposalSettings()))
        for stages in (window_of(12, actions=1, steps=48), window_of(12, actions=8, steps=384))
    ]
    assert counts[1] == 8 * counts[0]


@pytest.mark.parametrize(
    ("exponent", "bounds", "holds"),
    [
        (1.0, {"least": 0.95, "most": 1.05}, True),
        (1.1, {"least": 0.95, "most": 1.05}, False),
        (0.9, {"least": 0.95, "most": 1.05}, False),
        (0.8, {"most": 1.05}, True),
        (1.1, {"most": 1.05}, False),
        (3.0, {}, True),
    ],
)
def test_an_exponent_holds_within_its_bounds(exponent: float, bounds: dict[str, float], holds: bool) -> None:
    assert series_of(exponent, **bounds).holds is holds


def test_an_exponent_of_costs_that_are_no_power_does_not_hold() -> None:
    series = series_of(1.0, most=1.05)
    assert not replace(series, growth=replace(series.growth, off=0.2)).holds


def test_values_of_rounds_become_values_of_sizes() -> None:
    assert by_size([[1, 2, 3], [4, 5, 6]]) == ((1, 4), (2, 5), (3, 6))


def measured(monkeypatch: pytest.MonkeyPatch, output: Path, *options: str, exponent: float = 1.0) -> tuple[int, str]:
    """Exit code and output of the program, with every part given."""
    part = Part(size="things", sizes=(1, 2, 4, 8), series=(series_of(exponent, most=1.05),), beside={"start": (1 / 3,)})
    monkeypatch.setattr(growth, "measure", lambda *_, **__: part)
    done = CliRunner().invoke(growth.main, ["--json", str(output), *options])
    return done.exit_code, done.output


def test_the_file_holds_each_part_with_the_machine_and_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, shown = measured(monkeypatch, tmp_path / "growth.json", "--parts", "video, window")
    report: dict[str, Any] = json.loads((tmp_path / "growth.json").read_text())
    assert code == 0, shown
    assert list(report["parts"]) == ["video", "window"]
    assert report["rounds"] == 5
    assert report["machine"]["cores"]
    assert report["command"] == "python -m cmsn_benchmarks.growth"
    found = report["parts"]["video"]
    assert found["beside"] == {"start": [0.33333]}
    assert found["series"][0]["values"] == [[1, 1], [2, 2], [4, 4], [8, 8]]
    assert found["series"][0]["growth"]["exponent"] == pytest.approx(1, abs=1e-3)


def test_a_missed_bound_is_shown_and_ends_with_1_after_the_file_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, shown = measured(monkeypatch, tmp_path / "growth.json", exponent=1.2)
    assert code == 1
    assert "MISSED" in shown
    assert list(json.loads((tmp_path / "growth.json").read_text())["parts"]) == list(growth.PARTS)


def test_an_unknown_part_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, shown = measured(monkeypatch, tmp_path / "growth.json", "--parts", "video,disk")
    assert code == 2
    assert "disk: no such part; there are video, cameras, proposals, window" in " ".join(shown.split())


def test_proposals_and_windows_are_measured(tmp_path: Path) -> None:
    """The two parts without other processes, as small as can be."""
    proposals = growth.measure("proposals", tmp_path, quick=True, rounds=2)
    assert proposals.sizes[-1] == 1058
    assert [len(series.values) for series in proposals.series] == [len(REACHES)] * 2
    window = growth.measure("window", tmp_path, quick=True, rounds=2)
    assert window.sizes == (48, 96, 192, 384)
    assert [series.name for series in window.series] == ["stage network", "proposing", "evaluation of the candidates"]
    assert all(value > 0 for series in window.series for values in series.values for value in values)


def _decoded(path: Path) -> tuple[list[Any], list[Fraction]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times = [Fraction(frame.pts or 0) * (frame.time_base or 0) for frame in frames]
    return [frame.to_ndarray(format="gray") for frame in frames], times
