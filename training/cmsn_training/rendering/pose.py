"""A person's posture at a moment, from the script."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cmsn_training.rendering.script import Action, Leg, Person

_GLANCE_SECONDS = 0.35


@dataclass(frozen=True, slots=True)
class Pose:
    """A posture. x: position of the feet, fraction of the width. facing: -1 left, 1 right.

    stride: swing of the legs, radians. arms: angle of the left and the right upper arm from hanging (0) to overhead
    (about pi), radians. bend: of both elbows. lift: height of a jump, fraction of the body. spread: of the feet.
    bow: tilt of the trunk.
    """

    x: float
    facing: int
    stride: float = 0.0
    arms: tuple[float, float] = (0.08, 0.08)
    bend: float = 0.1
    lift: float = 0.0
    spread: float = 0.0
    bow: float = 0.0


def pose_at(person: Person, seconds: float) -> Pose | None:
    """The posture, or None while the person is absent."""
    leg = next((leg for leg in person.legs if leg.begin <= seconds < leg.end), None)
    if leg is None:
        return None
    action = person.action
    if action is not None and action.start <= seconds < action.end:
        return _acting(action, leg.x0, seconds)
    if leg.x0 != leg.x1:
        return _walking(leg, seconds, boxed=person.boxed)
    glancing = person.glance is not None and 0 <= seconds - person.glance < _GLANCE_SECONDS
    sway = 0.03 * math.sin(2 * seconds)
    return Pose(leg.x0, 1, arms=(0.08 + sway, 2.6 if glancing else 0.08 - sway))


def _walking(leg: Leg, seconds: float, *, boxed: bool) -> Pose:
    share = (seconds - leg.begin) / (leg.end - leg.begin)
    x = leg.x0 + (leg.x1 - leg.x0) * share
    swing = math.sin(2 * math.pi * 14 * x)  # the feet follow the ground, however fast the walk
    arms = (0.25, 0.25) if boxed else (0.35 * swing, -0.35 * swing)
    return Pose(x, 1 if leg.x1 > leg.x0 else -1, stride=0.5 * swing, arms=arms, bend=-0.5 if boxed else 0.25)


def _acting(action: Action, x: float, seconds: float) -> Pose:
    """Arms rise outstretched, swing overhead, and sink with bent elbows: the three thirds look different."""
    beat = 2 * math.pi * action.tempo * (seconds - action.start)
    if seconds < action.confirm:
        share = (seconds - action.start) / (action.confirm - action.start)
        raised = 0.5 + 2.1 * share
        wave = 0.15 * share * math.sin(beat / 2)
        return Pose(x, 1, arms=(raised + wave, raised - wave), bend=0.0, spread=0.1 * share)
    if seconds < action.ending:
        return _in_full_swing(action, x, beat)
    share = (seconds - action.ending) / (action.end - action.ending)
    raised = 2.5 - 2.1 * share
    return Pose(x, 1, arms=(raised, raised), bend=1.5, spread=0.1 * (1 - share))


def _in_full_swing(action: Action, x: float, beat: float) -> Pose:
    swing = math.sin(beat)
    if action.variant == "wave":
        return Pose(x, 1, arms=(2.5 + 0.5 * swing, 2.5 - 0.5 * swing), bend=0.2, spread=0.15)
    if action.variant == "jacks":
        up = (1 + swing) / 2
        return Pose(x, 1, arms=(1.5 + 1.4 * up,) * 2, bend=0.0, lift=0.12 * abs(math.cos(beat)), spread=0.45 * up)
    return Pose(x, 1, arms=(2.4, 2.4), bend=0.3, bow=0.5 * swing, spread=0.2)
