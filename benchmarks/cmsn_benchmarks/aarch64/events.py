"""Events of the same clip from two processors: whether they are the same, and how far their scores are apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCORE_LIMIT = 1e-3
# What must be equal: not the time of day, and nothing made of it.
_SAME = ("kind", "action", "rank", "start", "end", "at", "delay", "note", "seq")

Events = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class EventsCompared:
    """events: those here. same: whether all but their scores are equal. score_apart: largest difference of a score;
    None where the events are not the same.
    """

    clip: str
    bundle: str
    backend: str
    events: int
    same: bool
    score_apart: float | None

    @property
    def holds(self) -> bool:
        """Whether there is something to compare, and it is equal within SCORE_LIMIT."""
        return self.events > 0 and self.score_apart is not None and self.score_apart <= SCORE_LIMIT

    def line(self) -> str:
        """For people."""
        found = f"scores at most {self.score_apart:.1e} apart" if self.score_apart is not None else "NOT THE SAME"
        return f"{self.bundle} on {self.backend}, {self.clip}: {self.events} events, {found}"


def compared(here: Events, there: Events, *, clip: str, bundle: str, backend: str) -> EventsCompared:
    """Compare what two runs reported, as cmsn's JSON gives it."""
    same = [_facts(event) for event in here] == [_facts(event) for event in there]
    apart = [abs(a["score"] - b["score"]) for a, b in zip(here, there, strict=False)]
    return EventsCompared(clip, bundle, backend, len(here), same, max(apart, default=0.0) if same else None)


def events_of(python: str | Path, clip: Path, *, bundle: str, backend: str, cache: Path) -> list[dict[str, Any]]:
    """What `cmsn run` of that Python reports. cache: for the kernels and engines that it compiles itself.

    Raises SystemExit with its last line where it fails.
    """
    command = [python, "-m", "cmsn_runtime", "run", clip, "--bundle", bundle, "--backend", backend, "--json", "-"]
    environment = {**os.environ, "CMSN_CACHE_DIR": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{bundle} on {backend}, {python}: {done.stderr.strip() or f'ended with {done.returncode}'}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_on_both(there: Path, clip: Path, *, bundle: str, backends: Sequence[str], caches: Path) -> list[EventsCompared]:
    """Each backend there against ONNX Runtime here. caches: a folder for what each of them compiles, once."""
    here = events_of(sys.executable, clip, bundle=bundle, backend="onnxruntime", cache=caches / "here")
    return [
        compared(
            here,
            events_of(there, clip, bundle=bundle, backend=backend, cache=caches / "there"),
            clip=clip.name,
            bundle=bundle,
            backend=backend,
        )
        for backend in backends
    ]


def _facts(event: dict[str, Any]) -> list[Any]:
    return [event.get(name) for name in _SAME]
