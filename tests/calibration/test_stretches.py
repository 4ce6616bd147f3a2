"""Which stretches of video are chosen, and which videos are no basis for ranges."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cmsn_calibration.excerpts import Excerpt
from cmsn_calibration.stretches import Stretch, choose, look_at, videos_of
from cmsn_calibration.suspicion import doubts, faults
from cmsn_runtime.pictures.example import moving_picture

RNG = np.random.default_rng


def moving(frames: int = 96) -> np.ndarray:
    return moving_picture(RNG(0), (24, 32), frames)


def one(name: str, index: int, light: float, contrast: float, motion: float, smoothness: float) -> Stretch:
    return Stretch(Excerpt(Path(name), Fraction(4 * index), 96), light, contrast, motion, smoothness)


def video(name: str, count: int) -> list[Stretch]:
    return [one(name, index, 100.0, 40.0, 5.0, 0.9) for index in range(count)]


def seen(frames: np.ndarray) -> Stretch:
    return look_at(Excerpt(Path("one"), Fraction(0), len(frames)), frames)


def test_light_motion_and_smoothness_are_those_of_the_pictures() -> None:
    found, darker, still = seen(moving()), seen(moving() // 2), seen(np.repeat(moving()[:1], 96, axis=0))
    noise = seen(RNG(1).integers(0, 256, (96, 24, 32, 3), np.uint8))
    assert darker.light == pytest.approx(found.light / 2, abs=1)
    assert found.motion > 0.5 and still.motion == 0
    assert found.smoothness > 0.6 and abs(noise.smoothness) < 0.1


def test_no_video_gives_more_than_others_while_those_have_some_left() -> None:
    pool = [*video("long", 300), *(item for name in "abcdefgh" for item in video(name, 2))]
    assert set(videos_of(choose(pool, count=18, seed=0)).values()) == {2}


def test_videos_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    pool = [*video("one/a.mp4", 20), *video("two/a.mp4", 20)]
    assert set(videos_of(choose(pool, count=10, seed=0)).values()) == {5}


def test_every_third_of_motion_and_of_light_gives_its_part() -> None:
    pool = [
        replace(item, light=float(light), motion=float(motion))
        for motion in (1, 10, 100)
        for light in (20, 100, 200)
        for item in video(f"{motion}-{light}", 20)
    ]
    found = choose(pool, count=18, seed=0)
    assert sorted({(item.motion, item.light) for item in found}) == [
        (motion, light) for motion in (1, 10, 100) for light in (20, 100, 200)
    ]


def test_the_choice_depends_on_the_seed_and_on_no_order() -> None:
    pool = [item for name in "abcdef" for item in video(name, 30)]
    first = choose(pool, count=20, seed=1)
    assert first == choose(pool[::-1], count=20, seed=1)
    assert first != choose(pool, count=20, seed=2)
    assert len(set(first)) == 20
    assert first != tuple(sorted(pool, key=lambda item: (item.excerpt.video, item.excerpt.begin)))[:20]


def test_where_there_are_fewer_all_are_taken() -> None:
    pool = video("one", 5)
    assert choose(pool, count=20, seed=0) == tuple(pool)


BLACK = [one("b", index, 2.0, 1.0, 0.0, 1.0) for index in range(40)]
NOISE = [one("n", index, 127.0, 74.0, 85.0, 0.01) for index in range(40)]
GREY = [one("g", index, 127.0, 0.0, 0.0, 1.0) for index in range(40)]
FROZEN = [replace(item, motion=0.0) for name in "abc" for item in video(name, 20)]
GOOD = [item for name in "abc" for item in video(name, 20)]


@pytest.mark.parametrize(
    ("stretches", "fault"),
    [
        (BLACK, "of 40 stretches, 40 black (b); a network"),
        (NOISE, "of 40 stretches, 40 noise (n); a network"),
        (GREY, "of 40 stretches, 40 of one colour (g); a network"),
        ([*BLACK[:20], *NOISE[:15], *GOOD[:30]], "of 65 stretches, 20 black (b), 15 noise (n); a network"),
        ([], "there is no video with two frames or more"),
    ],
    ids=["black", "noise", "one colour", "both", "none"],
)
def test_what_no_camera_records_is_a_fault(stretches: list[Stretch], fault: str) -> None:
    (found,) = faults(stretches)
    assert found.startswith(fault)


def test_a_dark_camera_among_others_is_a_doubt() -> None:
    assert not list(faults([*GOOD, *BLACK]))
    (doubt,) = doubts([*GOOD, *BLACK])
    assert doubt == "of 100 stretches, 40 black (b); the ranges are theirs too; leave such videos out"
    assert not list(doubts([*GOOD, *BLACK[:6]]))


@pytest.mark.parametrize(
    ("stretches", "doubt"),
    [(GOOD[:19], "19 stretches of 1 videos are few"), (FROZEN, "60 of 60 stretches are frozen (a, b, c)")],
    ids=["few", "frozen"],
)
def test_what_may_be_too_little_is_a_doubt(stretches: list[Stretch], doubt: str) -> None:
    assert not list(faults(stretches))
    (found,) = doubts(stretches)
    assert found.startswith(doubt)


def test_good_videos_raise_none() -> None:
    assert not [*faults(GOOD), *doubts(GOOD)]
