"""What a bundle sees in videos: the stage of every step, and the final proposals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.events import Event, StageStep
from cmsn_runtime.manifest.quality import Recall
from cmsn_runtime.sources.opening import open_source
from cmsn_training.evaluation import Spans, average_recall


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """stages: int [T], the most probable stage of each step. spans: [K, 2] in seconds, final proposals, best first."""

    stages: npt.NDArray[np.int64]
    spans: Spans


def seen(bundle: Bundle, video: Path) -> Seen:
    """A whole video through a stream, as from a camera. Raises SourceError."""
    steps: list[StageStep] = []
    events: list[Event] = []
    with bundle.stream(on_step=steps.append) as stream, open_source(video) as source:
        for frame in source:
            events += [event for event in stream.push(frame) if isinstance(event, Event)]
        events += [event for event in stream.flush() if isinstance(event, Event)]
    finals = [event.proposal for event in events if event.kind == "final" and event.proposal is not None]
    ranked = sorted(finals, key=lambda proposal: -proposal.score)
    spans = np.array([(float(item.start), float(item.end)) for item in ranked]).reshape(-1, 2)
    return Seen(np.array([int(np.argmax(step.probabilities)) for step in steps]), spans)


def see_all(
    bundle: Bundle, videos: Sequence[Path], progress: Callable[[], object] = lambda: None
) -> Mapping[str, Seen]:
    """Video's name without suffix -> what the bundle sees in it."""
    found = {}
    for video in videos:
        found[video.stem] = seen(bundle, video)
        progress()
    return found


def stage_agreement(found: Mapping[str, Seen], expected: Mapping[str, Seen]) -> tuple[float, int]:
    """Share of steps with the same stage, and the number of steps."""
    same = [found[name].stages == expected[name].stages for name in expected]
    steps = sum(len(each) for each in same)
    return (sum(int(each.sum()) for each in same) / steps if steps else 1.0), steps


def recall(
    found: Mapping[str, Seen], expected: Mapping[str, Seen], truth: Mapping[str, VideoAnnotations], *, number: int
) -> Recall:
    """AR@N of the videos that have labels, beside that of the expected ones (FP32)."""
    spans = {
        name: np.array([(item.start, item.end) for item in truth[name].annotations]).reshape(-1, 2)
        for name in expected
        if name in truth
    }

    def percent(of: Mapping[str, Seen]) -> float:
        value = average_recall({name: of[name].spans for name in spans}, spans, per_video=number)
        return round(value, 3)

    return Recall(number, percent(found), percent(expected))
