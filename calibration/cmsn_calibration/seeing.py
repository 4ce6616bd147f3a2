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


def recall(
    found: Mapping[str, Seen], expected: Mapping[str, Seen], truth: Mapping[str, Spans], *, number: int
) -> Recall:
    """AR@N of the videos with labels, beside what is expected (FP32). truth: video's path -> [G, 2] in seconds."""

    def percent(of: Mapping[str, Seen]) -> float:
        return round(average_recall({name: of[name].spans for name in truth}, truth, per_video=number), 3)

    return Recall(number, percent(found), percent(expected))


def recall_after(found: Mapping[str, Seen], truth: Mapping[str, Spans], *, number: int) -> Mapping[float, float]:
    """Allowed delay in seconds -> AR@N in percent; empty where nothing was reported."""
    reports = {name: found[name].reports for name in truth}
    if not any(reports.values()):
        return {}
    return recall_by_delay(reports, truth, numbers=[number])[number]
