"""What a bundle sees in videos: the stage of every step, and the final proposals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.events import StageStep, StreamEvent
from cmsn_runtime.manifest.quality import Recall
from cmsn_runtime.sources.opening import open_source
from cmsn_runtime.stages import Stage
from cmsn_training.evaluation import Spans, average_recall
from cmsn_training.evaluation.delay import recall_by_delay
from cmsn_training.evaluation.events import Reported, reports_of


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """stages: int [T], the most probable stage of each step. reports: on actions, in their order."""

    stages: npt.NDArray[np.int64]
    reports: Sequence[Reported]

    @property
    def spans(self) -> Spans:
        """Final proposals, [K, 2] in seconds, best first."""
        finals = sorted((item for item in self.reports if item.kind == "final"), key=lambda item: -item.score)
        return np.array([(item.start, item.end) for item in finals]).reshape(-1, 2)


def seen(bundle: Bundle, video: Path) -> Seen:
    """A whole video through a stream, as from a camera. Raises SourceError."""
    steps: list[StageStep] = []
    events: list[StreamEvent] = []
    with bundle.stream(on_step=steps.append) as stream, open_source(video) as source:
        for frame in source:
            events += stream.push(frame)
        events += stream.flush()
    return Seen(np.array([int(np.argmax(step.probabilities)) for step in steps]), reports_of(events))


def see_all(
    bundle: Bundle, videos: Sequence[Path], progress: Callable[[], object] = lambda: None
) -> Mapping[str, Seen]:
    """Video's path -> what the bundle sees in it."""
    found = {}
    for video in videos:
        found[str(video)] = seen(bundle, video)
        progress()
    return found


def stage_agreement(found: Mapping[str, Seen], expected: Mapping[str, Seen]) -> tuple[float, int]:
    """Share of steps with the same stage, and the number of steps."""
    same = [found[name].stages == expected[name].stages for name in expected]
    steps = sum(len(each) for each in same)
    return (sum(int(each.sum()) for each in same) / steps if steps else 1.0), steps


def agreement_by_stage(found: Mapping[str, Seen], expected: Mapping[str, Seen]) -> Mapping[str, float]:
    """Stage that is expected -> share of its steps with the same one; without those that never are."""
    wanted = np.concatenate([expected[name].stages for name in expected])
    same = np.concatenate([found[name].stages for name in expected]) == wanted
    return {stage.name.lower(): float(same[wanted == stage].mean()) for stage in Stage if (wanted == stage).any()}


def recall_at(found: Mapping[str, Seen], truth: Mapping[str, Spans], *, numbers: Sequence[int]) -> Mapping[int, float]:
    """N -> AR@N in percent; empty without labels."""
    spans = {name: found[name].spans for name in truth}
    return {number: round(average_recall(spans, truth, per_video=number), 3) for number in numbers if truth}


def recall(
    found: Mapping[str, Seen], expected: Mapping[str, Seen], truth: Mapping[str, Spans], *, number: int
) -> Recall:
    """AR@N of the videos with labels, beside what is expected (FP32). truth: video's path -> [G, 2] in seconds."""

    percents = [recall_at(of, truth, numbers=[number])[number] for of in (found, expected)]
    return Recall(number, *percents)


def recall_after(found: Mapping[str, Seen], truth: Mapping[str, Spans], *, number: int) -> Mapping[float, float]:
    """Allowed delay in seconds -> AR@N in percent; empty where nothing was reported."""
    reports = {name: found[name].reports for name in truth}
    if not any(reports.values()):
        return {}
    return recall_by_delay(reports, truth, numbers=[number])[number]
