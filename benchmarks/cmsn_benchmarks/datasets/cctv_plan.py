"""Plans which surveillance clips make up each spliced stream, and in which order."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPLITS = ("train", "validation", "test")
_SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}
_LONGEST_ACTION = 5  # clips of about two seconds


@dataclass(frozen=True, slots=True)
class Clip:
    """One trimmed clip: its path under the clips' folder, whether it is a fight, and the video it was cut from."""

    path: str
    fight: bool
    source: str


def read_clips(folder: Path) -> list[Clip]:
    """The clips that clips.csv (clip,label,source,...) lists."""
    with (folder / "clips.csv").open(newline="", encoding="utf-8") as file:
        return [Clip(row["clip"], row["label"] == "fight", row["source"]) for row in csv.DictReader(file)]


def split_by_source(clips: Sequence[Clip], *, seed: int) -> dict[str, list[Clip]]:
    """Split -> its clips; every source is entirely in one split, and each split has both kinds.

    The largest sources are assigned first, each to the split that most lacks its clips.
    """
    rng = np.random.default_rng(seed)
    of_source: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        of_source[clip.source].append(clip)
    kinds = Counter(clip.fight for clip in clips)
    split: dict[str, list[Clip]] = {name: [] for name in SPLITS}
    order = sorted(of_source, key=lambda source: (-len(of_source[source]), rng.random()))

    def lack(name: str, source: str) -> float:
        """The source's clips that the split still lacks, as a share of those that it is to get."""
        own = Counter(clip.fight for clip in of_source[source])
        have = Counter(clip.fight for clip in split[name])
        return sum(own[kind] * (1 - have[kind] / (_SHARES[name] * kinds[kind])) for kind in own)

    for source in order:
        best = max(SPLITS, key=lambda name: (lack(name, source), _SHARES[name]))
        split[best] += of_source[source]
    return split


@dataclass(frozen=True, slots=True)
class Scene:
    """A section of one camera's stream: clips before, an action of clips (or none), clips after."""

    before: tuple[Clip, ...]
    action: tuple[Clip, ...]
    after: tuple[Clip, ...]


class Planner:
    """Draws scenes so that every clip of a split occurs about equally often."""

    def __init__(self, clips: Iterable[Clip], rng: np.random.Generator) -> None:
        self._rng = rng
        self._used: Counter[Clip] = Counter()
        self._fights: defaultdict[str, list[Clip]] = defaultdict(list)
        self._calm: defaultdict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            (self._fights if clip.fight else self._calm)[clip.source].append(clip)

    def scene(self) -> Scene:
        """A further scene. Where its source has both kinds, all clips are of that source, so that cuts are not cues."""
        source = self._least_used(self._fights)
        action = tuple(self._take(self._fights[source], int(self._rng.integers(1, _LONGEST_ACTION + 1))))
        around = source if source in self._calm else self._least_used(self._calm)
        before = self._take(self._calm[around], int(self._rng.integers(2, 6)))
        after = self._take(self._calm[around], int(self._rng.integers(1, 4)))
        return Scene(tuple(before), action, tuple(after))

    def calm_scene(self) -> Scene:
        """A scene of background only."""
        source = self._least_used(self._calm)
        return Scene(tuple(self._take(self._calm[source], int(self._rng.integers(2, 7)))), (), ())

    def _least_used(self, sources: dict[str, list[Clip]]) -> str:
        def uses(source: str) -> float:
            return float(np.mean([self._used[clip] for clip in sources[source]])) + 0.5 * self._rng.random()

        return min(sorted(sources), key=uses)

    def _take(self, clips: Sequence[Clip], count: int) -> list[Clip]:
        """Different clips, the least used first; all of a source that has fewer, with background clips repeated."""
        order = sorted(clips, key=lambda clip: (self._used[clip], self._rng.random()))[:count]
        self._used.update(order)
        return order


def plan_stream(planner: Planner, rng: np.random.Generator, *, clips: int) -> list[Scene]:
    """Scenes of at least `clips` clips in total; occasionally one without an action."""
    scenes: list[Scene] = []
    while sum(len(scene.before) + len(scene.action) + len(scene.after) for scene in scenes) < clips:
        scenes.append(planner.calm_scene() if rng.random() < 0.3 else planner.scene())
    return scenes
