"""What the evaluation is timed against gives the same figures, on lists of all kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from cmsn_benchmarks.references import evaluation as reference_evaluation
from cmsn_benchmarks.speed.evaluation import main, measure, random_lists
from cmsn_training.evaluation import ACTIVITYNET, THUMOS, Protocol, recall_curve


@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 250), min_size=1, max_size=4),
    st.lists(st.integers(0, 16), min_size=1, max_size=4),
    st.sampled_from([THUMOS, ACTIVITYNET, Protocol("test", (0.3, 1.0), points=7, max_average=3)]),
)
def test_fast_evaluation_agrees_with_the_plain_reference(
    seed: int, counts: list[int], positives: list[int], protocol: Protocol
) -> None:
    proposals, truth = random_lists(seed % 3)
    names = [str((seed + place) % len(truth)) for place in range(len(positives))]
    truth = {name: truth[name][:count] for name, count in zip(names, positives, strict=True)}
    proposals = {name: proposals[name][:count] for name, count in zip(names, counts, strict=False)}
    assume(any(len(truth[name]) for name in names))
    assume(any(len(proposals.get(name, ())) and (len(truth[name]) or protocol.counts_empty) for name in names))
    curve = recall_curve(proposals, truth, protocol)
    numbers, average = reference_evaluation.average_recall(proposals, truth, protocol)
    assert numbers == pytest.approx(curve.numbers)
    assert average == pytest.approx(curve.average, abs=1e-12)


def test_random_proposal_lists_find_some_actions_and_miss_others() -> None:
    """Some are found, and not all: otherwise a loop that stops early would be timed at nothing."""
    average = recall_curve(*random_lists(), THUMOS).average
    assert 0.1 < average[-1] < 0.9
    assert measure(*random_lists(), ACTIVITYNET, repeats=1).proposals == 213 * 250


def test_the_benchmark_runs_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a 0 9\na 0 10\nb 5 6\n")
    (tmp_path / "truth.csv").write_text("video-name,f-init,f-end,label-idx\na,0,10,7\nb,1,2,-1\n")
    options = ["--proposals", str(tmp_path / "list.txt"), "--truth", str(tmp_path / "truth.csv")]
    done = CliRunner().invoke(main, [*options, "--json", str(tmp_path / "out.json"), "--repeats", "1"])
    assert done.exit_code == 0, done.output
    timings = json.loads((tmp_path / "out.json").read_text())["timings"]
    assert [(one["protocol"], one["proposals"], one["segments"]) for one in timings] == [
        ("thumos", 3, 1),
        ("activitynet", 3, 1),
    ]
    assert CliRunner().invoke(main, options[:2]).exit_code == 2
