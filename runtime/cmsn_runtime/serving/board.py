"""What the page shows of each camera now: its newest picture, its last minute of stages, its newest events."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

from cmsn_runtime.events import Event, StagePreview, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.secrets import scrubbed
from cmsn_runtime.serving.feed import Message
from cmsn_runtime.serving.jpeg import as_jpeg
from cmsn_runtime.sinks.fields import event_fields

_KEPT_SECONDS = Fraction(90)  # of stages; the page shows 60
_MOST_RUNS = 400  # of equal stages, for each camera
_MOST_EVENTS = 200  # of all cameras
_CLIP_SECONDS = 60.0  # within which a clip is there


@dataclass(slots=True)
class _Run:
    """A run of equal stages, in seconds on the camera's clock."""

    stage: int
    start: Fraction
    end: Fraction


@dataclass(slots=True)
class _Camera:
    """runs: of stages that are settled; preview: of those that may still change.

    number: of pictures so far. encoded: the number of the picture whose JPEG is kept.
    """

    runs: deque[_Run] = field(default_factory=lambda: deque(maxlen=_MOST_RUNS))
    preview: list[_Run] = field(default_factory=list)
    frame: Frame | None = None
    number: int = 0
    jpeg: bytes = b""
    encoded: int = 0


class Board:
    """Takes what sinks take, from any thread, and returns what is to be passed on to those who read.

    Its memory is bounded, whatever the cameras do. step_seconds: length of a feature step.
    """

    def __init__(self, *, step_seconds: Fraction) -> None:
        self._step_seconds = step_seconds
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        self._events: OrderedDict[str, dict[str, object]] = OrderedDict()

    def add_picture(self, camera: str, frame: Frame) -> Message:
        """The newest picture; it is compressed when somebody asks for it, so its pixels must not be reused."""
        with self._lock:
            kept = self._camera(camera)
            kept.frame = frame
            kept.number += 1
            return {"type": "picture", "camera": camera, "number": kept.number}

    def add_step(self, camera: str, step: StageStep) -> Message:
        """The stage of one more step."""
        end = step.seconds + self._step_seconds
        with self._lock:
            runs = self._camera(camera).runs
            if runs and runs[-1].stage == step.stage and runs[-1].end == step.seconds:
                runs[-1].end = end
            else:
                runs.append(_Run(int(step.stage), step.seconds, end))
            while runs[0].end < end - _KEPT_SECONDS:
                runs.popleft()
            return {"type": "stage", "camera": camera, "run": _numbers(runs[-1])}

    def add_preview(self, camera: str, preview: StagePreview) -> Message:
        """The stages of the newest steps. What the one before showed stays where its segment ended unsettled."""
        runs = self._runs_of(preview)
        with self._lock:
            kept = self._camera(camera)
            if kept.preview and runs and kept.preview[-1].end <= runs[0].start:
                settled = kept.runs[-1].end if kept.runs else Fraction(0)
                kept.runs.extend(run for run in kept.preview if run.start >= settled)
            kept.preview = runs
            return {"type": "preview", "camera": camera, "runs": [_numbers(run) for run in runs]}

    def add_event(self, camera: str, event: StreamEvent) -> Message | None:
        """A report; of an action, the newest replaces those before it. None for alternatives, which are not shown."""
        if isinstance(event, Event) and event.rank > 1:
            return None
        row = event_fields(camera, event)
        row["note"] = scrubbed(str(row["note"]))
        key = str(row["id"] or f"{camera}/{event.segment}/{row['action']}/{row['rank']}/{event.wall}")
        row["id"] = key
        with self._lock:
            self._camera(camera)
            self._events[key] = row
            while len(self._events) > _MOST_EVENTS:
                self._events.popitem(last=False)
        return {"type": "event", "event": row}

    def add_clip(self, key: str, name: str) -> Message | None:
        """The clip of an event is there. None where the event is no longer shown."""
        with self._lock:
            if key not in self._events:
                return None
            self._events[key]["clip"] = name
        return {"type": "clip", "id": key, "name": name}

    def without_clip(self) -> list[str]:
        """The ids of the newest finals whose clip is not known yet: it is written a moment after them."""
        since = time.time() - _CLIP_SECONDS
        with self._lock:
            return [
                key
                for key, row in self._events.items()
                if row["kind"] == "final" and "clip" not in row and cast("float", row["wall"]) > since
            ]

    def keep(self, cameras: Collection[str]) -> None:
        """Forget the pictures and stages of all other cameras; their events stay in the list."""
        with self._lock:
            for name in self._cameras.keys() - set(cameras):
                del self._cameras[name]

    def jpeg(self, camera: str) -> bytes | None:
        """The newest picture of a camera as a JPEG file; None where there is none."""
        with self._lock:
            kept = self._cameras.get(camera)
            if kept is None or kept.frame is None:
                return None
            frame, number = kept.frame, kept.number
            if kept.encoded == number:
                return kept.jpeg
        jpeg = as_jpeg(frame)  # outside the lock: it may take milliseconds
        with self._lock:
            if number > kept.encoded:
                kept.jpeg, kept.encoded = jpeg, number
        return jpeg

    def snapshot(self) -> dict[str, object]:
        """All that is shown, for JSON."""
        with self._lock:
            return {
                "stages": {name: [_numbers(run) for run in kept.runs] for name, kept in self._cameras.items()},
                "previews": {name: [_numbers(run) for run in kept.preview] for name, kept in self._cameras.items()},
                "pictures": {name: kept.number for name, kept in self._cameras.items() if kept.number},
                "events": [dict(row) for row in self._events.values()],
            }

    def _runs_of(self, preview: StagePreview) -> list[_Run]:
        runs: list[_Run] = []
        for index, stage in enumerate(preview.stages.tolist()):
            start = preview.seconds + index * self._step_seconds
            if runs and runs[-1].stage == stage:
                runs[-1].end = start + self._step_seconds
            else:
                runs.append(_Run(stage, start, start + self._step_seconds))
        return runs

    def _camera(self, name: str) -> _Camera:
        return self._cameras.setdefault(name, _Camera())


def _numbers(run: _Run) -> list[float]:
    """[stage, start, end], for JSON."""
    return [run.stage, round(float(run.start), 3), round(float(run.end), 3)]
