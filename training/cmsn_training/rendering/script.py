"""Who does what, when: the script of a stream, decided before drawing starts.

Positions are fractions of the picture's width, times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Variant = Literal["wave", "jacks", "bow"]
VARIANTS: tuple[Variant, ...] = ("wave", "jacks", "bow")

_EDGE = 0.12  # people enter and leave this far outside the picture
_LONGEST, _SHORTEST = 20.0, 1.0


@dataclass(frozen=True, slots=True)
class Action:
    """Times of one action's parts; it is annotated as [start, end].

    approach < start < confirm < ending < end < retreat: walking in, arms rising, full swing, arms sinking, walking off.
    """

    approach: float
    start: float
    confirm: float
    ending: float
    end: float
    retreat: float
    variant: Variant
    tempo: float


@dataclass(frozen=True, slots=True)
class Leg:
    """One segment of a person's path: from x0 to x1 between begin and end (standing where x0 equals x1)."""

    begin: float
    end: float
    x0: float
    x1: float


@dataclass(frozen=True, slots=True)
class Person:
    """A path through the picture, at a depth (0 far .. 1 near), with at most one action.

    look: seed of clothes and build. glance: when a hand goes up for a moment. boxed: carries a box.
    """

    legs: tuple[Leg, ...]
    depth: float
    look: int
    action: Action | None = None
    glance: float | None = None
    boxed: bool = False


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A box on wheels, or an animal, that crosses the picture."""

    begin: float
    end: float
    leftwards: bool
    depth: float
    length: float
    look: int


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that moves in one stream."""

    people: tuple[Person, ...]
    vehicles: tuple[Vehicle, ...]

    @property
    def actions(self) -> tuple[Action, ...]:
        """The annotated actions, in order of time."""
        return tuple(sorted((p.action for p in self.people if p.action), key=lambda action: action.start))


def write_script(rng: np.random.Generator, seconds: float) -> Script:
    """Draw a script at random: whole actions one after the other, people and vehicles without actions in between."""
    quiet = rng.random() < 0.05
    actions = [] if quiet else _plan_actions(rng, seconds)
    people = [_actor(rng, action, seconds) for action in actions] + _bystanders(rng, seconds)
    return Script(tuple(people), tuple(_vehicles(rng, seconds)))


def _plan_actions(rng: np.random.Generator, seconds: float) -> list[Action]:
    actions: list[Action] = []
    clock = rng.uniform(0.3, 3.0)
    for _ in range(200):
        length = float(np.exp(rng.uniform(np.log(_SHORTEST), np.log(_LONGEST))))
        around = float(np.clip(length / 2, 0.5, 10.0))
        if clock + 2 * around + length + 0.3 <= seconds:
            actions.append(_action(rng, clock, around, length))
            clock = actions[-1].retreat + rng.uniform(1.0, 10.0)
    return actions


def _action(rng: np.random.Generator, clock: float, around: float, length: float) -> Action:
    start = clock + around
    confirm, ending = (start + length * (part + rng.uniform(-0.06, 0.06)) for part in (1 / 3, 2 / 3))
    end = start + length
    variant = VARIANTS[int(rng.integers(len(VARIANTS)))]
    return Action(clock, start, confirm, ending, end, end + around, variant, rng.uniform(1.2, 2.4))


def _actor(rng: np.random.Generator, action: Action, seconds: float) -> Person:
    spot = rng.uniform(0.25, 0.75)
    before, at = _walk_in(rng, action, spot)
    legs = [*before, Leg(action.approach, action.start, at, spot), Leg(action.start, action.end, spot, spot)]
    legs += _walk_off(rng, action, spot)
    return Person(tuple(legs), rng.random(), int(rng.integers(2**31)), action=action)


def _walk_in(rng: np.random.Generator, action: Action, spot: float) -> tuple[list[Leg], float]:
    """Where the approach begins: at the picture's edge, or at a place where the actor was standing before."""
    side = 1 if rng.random() < 0.5 else -1
    edge = 1 + _EDGE if side > 0 else -_EDGE
    distance = rng.uniform(0.18, 0.4) * (action.start - action.approach)
    if distance >= abs(edge - spot) - _EDGE:
        return [], edge
    at = spot + side * distance
    waited = action.approach - rng.uniform(0.5, 6.0)
    arrived = waited - abs(edge - at) / rng.uniform(0.2, 0.4)
    return [Leg(arrived, waited, edge, at), Leg(waited, action.approach, at, at)], at


def _walk_off(rng: np.random.Generator, action: Action, spot: float) -> list[Leg]:
    side = 1 if rng.random() < 0.5 else -1
    edge = 1 + _EDGE if side > 0 else -_EDGE
    distance = rng.uniform(0.18, 0.4) * (action.retreat - action.end)
    if distance >= abs(edge - spot) - _EDGE:
        return [Leg(action.end, action.retreat, spot, edge)]
    at = spot + side * distance
    idle = action.retreat + rng.uniform(0.0, 5.0)
    gone = idle + abs(edge - at) / rng.uniform(0.2, 0.4)
    return [
        Leg(action.end, action.retreat, spot, at),
        Leg(action.retreat, idle, at, at),
        Leg(idle, gone, at, edge),
    ]


def _bystanders(rng: np.random.Generator, seconds: float) -> list[Person]:
    """People who walk through, stop, stand, turn round; some raise a hand briefly. None performs the action."""
    people: list[Person] = []
    clock = rng.uniform(-10.0, 5.0)
    gap = rng.choice([6.0, 12.0, 25.0])
    while clock < seconds:
        people.append(_bystander(rng, clock))
        clock += rng.exponential(gap) + 1.0
    return people


def _bystander(rng: np.random.Generator, clock: float) -> Person:
    side = rng.random() < 0.5
    x = 1 + _EDGE if side else -_EDGE
    legs: list[Leg] = []
    standing: list[float] = []
    for _ in range(int(rng.integers(0, 3))):
        target = rng.uniform(0.1, 0.9)
        arrive = clock + abs(target - x) / rng.uniform(0.15, 0.45)
        stay = arrive + rng.exponential(4.0) + 0.5
        legs += [Leg(clock, arrive, x, target), Leg(arrive, stay, target, target)]
        standing.append((arrive + stay) / 2)
        clock, x = stay, target
    edge = 1 + _EDGE if rng.random() < 0.5 else -_EDGE
    if abs(edge - x) < 0.5 and not legs:
        edge = 1 - edge
    legs.append(Leg(clock, clock + abs(edge - x) / rng.uniform(0.15, 0.45), x, edge))
    glance = standing[0] if standing and rng.random() < 0.3 else None
    return Person(tuple(legs), rng.random(), int(rng.integers(2**31)), glance=glance, boxed=bool(rng.random() < 0.2))


def _vehicles(rng: np.random.Generator, seconds: float) -> list[Vehicle]:
    vehicles: list[Vehicle] = []
    clock = rng.uniform(0.0, 20.0)
    while clock < seconds:
        takes = rng.uniform(2.0, 8.0)
        look = int(rng.integers(2**31))
        vehicles.append(
            Vehicle(clock, clock + takes, bool(rng.random() < 0.5), rng.random(), rng.uniform(0.12, 0.35), look)
        )
        clock += takes + rng.exponential(20.0)
    return vehicles
