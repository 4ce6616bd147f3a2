"""The real data of the benchmarks: splits by source, exact boundaries, labels mapped to rows."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("torch")

from cmsn_benchmarks.datasets.cctv_plan import SPLITS, Clip, Planner, plan_stream, read_clips, split_by_source
from cmsn_benchmarks.datasets.cctv_streams import splice
from cmsn_benchmarks.datasets.utkinect import FOLDS, Sequence, read_sequences, write_folds
from cmsn_runtime.errors import SettingsError
from cmsn_training.rendering.writer import encode_video


def test_no_source_video_is_in_two_splits(shared: Path) -> None:
    split = split_by_source(read_clips(shared / "data/cctv"), seed=1)
    sources = [{clip.source for clip in split[name]} for name in SPLITS]
    assert sum(map(len, sources)) == len(set.union(*sources))
    assert sum(map(len, split.values())) == 245
    for name in SPLITS:
        assert {clip.fight for clip in split[name]} == {True, False}
    assert 0.5 < len(split["train"]) / 245 < 0.7


def test_clips_are_used_equally_often_and_a_cut_does_not_give_a_boundary_away(shared: Path) -> None:
    clips = split_by_source(read_clips(shared / "data/cctv"), seed=1)["train"]
    rng = np.random.default_rng(0)
    planner = Planner(clips, rng)
    scenes = [scene for _ in range(60) for scene in plan_stream(planner, rng, clips=25)]
    of_both = {c.source for c in clips if c.fight} & {c.source for c in clips if not c.fight}
    for scene in scenes:
        sources = {clip.source for clip in scene.before + scene.action + scene.after}
        assert len(sources) == 1 or not {clip.source for clip in scene.action} & of_both
        assert all(clip.fight for clip in scene.action)
        assert not any(clip.fight for clip in scene.before + scene.after)
    boundaries = sum(2 for scene in scenes if scene.action)
    inside = sum(max(0, len(part) - 1) for scene in scenes for part in (scene.before, scene.action, scene.after))
    assert inside > boundaries


def test_spliced_boundaries_are_exact_to_the_frame(tmp_path: Path) -> None:
    """Fights are bright, everything else dark: the pictures say where the boundaries are."""
    lines = ["clip,label,source,source_start,source_end"]
    for number in range(12):
        fight = number % 2 == 0
        frames = [np.full((48, 64, 3), 220 if fight else 30, np.uint8)] * (20 + number)
        encode_video(tmp_path / f"c{number}.mp4", frames, size=(64, 48), fps=Fraction(20))
        lines.append(f"c{number}.mp4,{'fight' if fight else 'nofight'},source{number // 4},0,0")
    (tmp_path / "clips.csv").write_text("\n".join(lines) + "\n")
    splice(tmp_path, tmp_path / "out", counts={"train": 1, "validation": 0, "test": 1}, seed=3, workers=1)
    for split in ("train", "test"):
        database = json.loads((tmp_path / "out" / split / "annotations.json").read_text())["database"]
        name, entry = next(iter(database.items()))
        with av.open(str(tmp_path / "out" / split / f"{name}.mp4")) as container:
            bright = [frame.to_ndarray(format="gray").mean() > 125 for frame in container.decode(video=0)]
        truth = np.zeros(len(bright), dtype=bool)
        for item in entry["annotations"]:
            begin, end = (round(second * 25) for second in item["segment"])
            truth[begin:end] = True
        assert truth.any()
        assert np.array_equal(truth, bright)
        assert entry["duration"] == pytest.approx(len(bright) / 25)


def test_every_split_has_clips_with_and_without_fights() -> None:
    clips = [Clip(f"{k}.mp4", k % 2 == 0, f"s{k // 2}") for k in range(12)]
    split = split_by_source(clips, seed=0)
    assert all({clip.fight for clip in part} == {True, False} for part in split.values())


def test_utkinect_is_read_with_all_its_sequences_and_folds(shared: Path, tmp_path: Path) -> None:
    sequences = read_sequences(shared / "data/utkinect")
    assert len(sequences) == 16
    assert sum(len(one.segments()) for one in sequences) == 160
    assert all(one.rows.shape[1] == 60 for one in sequences)
    write_folds(sequences, tmp_path)
    held_out = []
    for number in range(1, len(FOLDS) + 1):
        train, test = (
            set(json.loads((tmp_path / f"fold-{number}" / f"{part}.json").read_text())["database"])
            for part in ("train", "test")
        )
        assert not {name[:3] for name in train} & {name[:3] for name in test}
        assert len(train) + len(test) == 16
        held_out += sorted(test)
    assert sorted(held_out) == [one.name for one in sequences]


def test_utkinect_labels_go_to_the_nearest_recorded_row() -> None:
    frames = np.array([10, 12, 12, 16, 100, 102, 102])
    rows = np.zeros((7, 60), np.float32)
    # 12 is there twice: both rows belong; 40 was not recorded: 16 is nearer than 100; 102 ends with its last row.
    one = Sequence("s01_e01", frames, rows, (("walk", 12, 40), ("wave", 99, 103)))
    assert one.segments() == [("walk", 1, 4), ("wave", 4, 7)]
    with pytest.raises(SettingsError, match="forward"):
        Sequence("s01_e01", frames, rows, (("push", 16, 12),)).segments()
