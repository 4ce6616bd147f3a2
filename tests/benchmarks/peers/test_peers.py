"""Every peer computes the features of a single pass of torch, at a small width; the report has their ratios."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("openvino")

from click.testing import CliRunner

from cmsn_benchmarks.gpu.network import network_bundle
from cmsn_benchmarks.pages.sections import peers_lines
from cmsn_benchmarks.peers import __main__ as command
from cmsn_benchmarks.peers.measuring import Found, Opened, Times, opened_peers
from cmsn_benchmarks.peers.report import report_of
from cmsn_benchmarks.peers.rows import PLAIN, STREAMS, TWO_CAMERAS, WINDOWS, clip_name, peers, streamed_name
from cmsn_benchmarks.peers.state_work import state_work
from cmsn_benchmarks.peers.way import LIMITS, Peer, Way, Work, relative_error
from cmsn_benchmarks.speed import extraction
from cmsn_benchmarks.speed.extraction import paper_config
from cmsn_runtime.backends.openvino.library import capabilities
from cmsn_runtime.backends.openvino.precisions import FP32
from cmsn_training.config import TrainingConfig

WIDTH = 0.0625
PEERS = {peer.name: peer for peer in peers()}
# A minute of compiling, which the benchmark does: what is compiled is the same function.
CHECKED = [name for name in PEERS if "compile" not in name]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """The paper's network at a sixteenth of its width, over a smaller picture, which changes no layer."""

    def smaller_picture(width: float) -> TrainingConfig:
        config = paper_config(width)
        preprocessing = config.preprocessing.model_copy(update={"resize": (32, 32), "crop": (32, 32)})
        return config.model_copy(update={"preprocessing": preprocessing})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "paper_config", smaller_picture)
        return Work(network_bundle(tmp_path_factory.mktemp("network") / "network.cmsn", width=WIDTH), threads=1)


def new_frames(peer: Peer) -> int:
    """Of one call: half of a window; as many as the name says; 8 of each of two cameras."""
    if peer.group in (WINDOWS, TWO_CAMERAS):
        return {WINDOWS: 768 // 2, TWO_CAMERAS: 2 * 8}[peer.group]
    named = re.search(r"(\d+) frames", peer.name)
    return int(named[1]) if named else 8


@pytest.mark.parametrize("name", CHECKED)
def test_a_peer_computes_the_features_of_a_single_pass_and_counts_its_new_frames(name: str, work: Work) -> None:
    peer = PEERS[name]
    if peer.precision == "BF16" and "BF16" not in capabilities():
        pytest.skip("this processor has no BF16")
    if "continual" in name and importlib.util.find_spec("continual") is None:
        pytest.skip("continual-inference is not installed")
    way = peer.open(work)
    try:
        assert way.frames == new_frames(peer)
        assert relative_error(way, work) <= LIMITS[peer.precision]
        way.call()
        assert relative_error(way, work) <= LIMITS[peer.precision], "a call in the middle must not change a beginning"
    finally:
        way.close()


def test_one_that_computes_something_else_is_left_out_with_its_error(work: Work) -> None:
    way = Way(frames=8, call=lambda: None, features=lambda: 2 * work.expected(None))
    short = replace(way, features=lambda: work.expected(None)[:3])
    rows = [
        Peer(name="doubled", group=STREAMS, precision="BF16", open=lambda _: way),
        Peer(name="short", group=STREAMS, precision="BF16", open=lambda _: short),
    ]
    with opened_peers(rows, work, lambda line: None) as found:
        assert not found.opened
        assert found.left_out["doubled"] == (
            "its features differ from torch's in FP32 by 1.0e+00; at most 2e-02 is allowed"
        )
        assert "by inf" in found.left_out["short"]


def test_one_that_is_not_installed_is_named_with_its_extra(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmsn_runtime.extras.find_spec", lambda name: None)
    name = "continual-inference FP32, frame by frame"
    with opened_peers([PEERS[name]], work, lambda line: None) as found:
        assert "pip install 'cmsn[peers]'" in found.left_out[name]


def opened(name: str, seconds: float, cpu: float = 1.0) -> tuple[Opened, Times]:
    way = Way(frames=8, call=lambda: None, features=lambda: np.zeros((1, 1), np.float32))
    return Opened(PEERS[name], way, 1.23456e-6, 0.5), [(seconds, cpu)] * 5


def test_ratios_are_of_frames_per_second_against_the_fastest_torch_in_windows() -> None:
    seconds = {
        PLAIN: 0.1,
        "torch eager FP32 channels_last_3d in windows": 0.05,
        "torch eager BF16 channels_last_3d in windows": 0.02,
        streamed_name("BF16", 8): 0.01,
        clip_name("BF16", 8): 0.0095,
        "FP32 in turn, 1 stream, not pinned": 0.03,
        "FP32 in turn, 1 stream, pinned": 0.06,
    }
    made = {
        name: opened(name, each, cpu=2 if name == streamed_name("BF16", 8) else 3.8) for name, each in seconds.items()
    }
    found = Found({name: each for name, (each, _) in made.items()}, {"other": "why"})
    report: Any = report_of(found, {name: times for name, (_, times) in made.items()})

    assert report[STREAMS][streamed_name("BF16", 8)]["frames_per_second"]["median"] == 100
    assert report[STREAMS][streamed_name("BF16", 8)]["times_as_fast"]["median"] == 10
    assert report[STREAMS][streamed_name("BF16", 8)]["relative_error"] == 1.2e-6
    assert PLAIN not in report[STREAMS]
    assert report[TWO_CAMERAS]["FP32 in turn, 1 stream, pinned"]["times_as_fast"]["median"] == 0.5
    over = {
        label: figures["by_wall_time"]["median"]
        for label, figures in report["ratios"]["over_the_papers_schedule"].items()
    }
    best = "BF16, 8 frames a call, over the best torch in"
    assert over == {
        f"{best} FP32 (torch eager FP32 channels_last_3d in windows)": 5.0,
        f"{best} any precision (torch eager BF16 channels_last_3d in windows)": 2.0,
    }
    assert report["ratios"]["stateful_over_offline"] == {
        "BF16, 8 frames a call, over a clip of 8": {
            "by_wall_time": {"median": 0.95, "least": 0.95, "most": 0.95},
            "by_cpu_time": {"median": 1.9, "least": 1.9, "most": 1.9},
        }
    }
    lines = peers_lines(Path("peers.json"), report)
    assert "| other | why |" in lines
    assert list(report["notes"]) == [clip_name("BF16", 8)]
    assert "| stateful over offline, BF16, 8 frames a call, over a clip of 8, by wall time | 0.95 |" in lines


def test_the_profile_tells_what_states_add_from_convolutions(work: Work) -> None:
    found: Any = state_work(work, [FP32], [8, 16], rounds=2)
    assert list(found) == ["FP32, 8 frames a call", "FP32, 16 frames a call"]
    for figures in found.values():
        assert isfinite(figures["share_of_states"]["median"]), "two rounds on a busy machine say no more"
        assert figures["convolutions_over_those_of_the_longest"]["least"] > 0
    assert found["FP32, 16 frames a call"]["convolutions_over_those_of_the_longest"]["most"] == 1


def test_the_command_writes_a_report_of_the_rows_that_were_asked_for(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "network_bundle", lambda folder, width: work.bundle)
    output = tmp_path / "peers.json"
    name = "torch eager FP32, 8 frames a call"
    done = CliRunner().invoke(command.main, ["--quick", "--only", name, "--json", str(output)])
    assert done.exit_code == 0, done.output
    report = json.loads(output.read_text())
    assert list(report[STREAMS]) == [name]
    assert report["rounds"] == 2 and report["left_out"] == {} and report["machine"]["cores"]
