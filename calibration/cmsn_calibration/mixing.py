"""Searches the fastest mix of INT8 and float layers that loses no more recall than is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.quality import Recall

_MOST_LAYERS = 12  # of which every mix is considered: 4,096
_LEAST_SECONDS = 1e-9
_LESS_NOISE = 0.8  # a slower mix is worth a try where it promises no more than this share of the noise: 1 dB less


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What a layer costs in INT8 by itself, and what it gains.

    noise: of the features, relative to their signal (power). seconds: that it saves per step.
    """

    layer: str
    noise: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """floats: layers that stay float. noise, seconds: as expected of the others, by adding up; seconds: not saved."""

    floats: tuple[str, ...]
    noise: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Mix:
    """A mix that was measured. chosen: recall on the videos that mixes are chosen on. judged: on those that judge the
    result; None where it had failed before.
    """

    floats: tuple[str, ...]
    chosen: Recall
    judged: Recall | None

    def within(self, most_drop: float) -> bool:
        """Whether it loses no more than so many points on either."""
        return self.judged is not None and max(self.chosen.drop, self.judged.drop) <= most_drop


def candidates(costs: Sequence[LayerCost]) -> list[Candidate]:
    """Mixes from the fastest to the slowest, each with at least a fifth less noise than the one before.

    Noise and time of layers are added up: exact for neither, but good enough to decide what is tried next. Of up to 12
    layers every mix is considered; of more those that leave out the layers with the most noise for their time.
    """
    total = sum(item.noise for item in costs)
    mixes = [
        Candidate(
            tuple(item.layer for item in floats),
            max(0.0, total - sum(item.noise for item in floats)),
            sum(item.seconds for item in floats),
        )
        for floats in _subsets(costs)
    ]
    found: list[Candidate] = []
    for mix in sorted(mixes, key=lambda item: (item.seconds, item.noise, len(item.floats))):
        if not found or mix.noise < _LESS_NOISE * found[-1].noise:
            found.append(mix)
    return found


def search_mix(
    tries: Sequence[Candidate],
    choose: Callable[[Sequence[str]], Recall],
    judge: Callable[[Sequence[str]], Recall],
    *,
    most_drop: float,
) -> Iterator[Mix]:
    """Mixes, each as it is measured; the last one loses at most so many points, and is the fastest that was tried.

    choose, judge: recall of the network in which the named layers stay float, on two sets of videos; the second is
    asked only for mixes that the first finds good enough. Raises SettingsError where none is.
    """
    mix: Mix | None = None
    for candidate in tries:
        chosen = choose(candidate.floats)
        judged = judge(candidate.floats) if chosen.drop <= most_drop else None
        mix = Mix(candidate.floats, chosen, judged)
        yield mix
        if mix.within(most_drop):
            return
    raise SettingsError(_refusal(mix, len(tries), most_drop))


def _subsets(costs: Sequence[LayerCost]) -> Iterator[tuple[LayerCost, ...]]:
    """Without that of all layers, which would be FP32."""
    if len(costs) <= _MOST_LAYERS:
        yield from chain.from_iterable(combinations(costs, count) for count in range(len(costs)))
        return
    by_ratio = sorted(costs, key=lambda item: item.noise / max(item.seconds, 1e-9), reverse=True)
    for count in range(len(costs)):
        yield tuple(by_ratio[:count])


def _refusal(mix: Mix | None, count: int, most_drop: float) -> str:
    if mix is None:
        return "no layer of the extractor can be quantised, so there is no mix; use the FP32 bundle"
    last = mix.judged or mix.chosen
    return (
        f"each of the {count} mixes that were tried loses more than {most_drop:g} points of AR@{last.number} (the one "
        f"with the least noise {last.drop:.2f}); nothing was written; allow more with --max-ar-drop, or take more "
        "videos with more actions, on which a few misses weigh less"
    )


def layer_costs(noise: Mapping[str, float], seconds: Mapping[str, float]) -> list[LayerCost]:
    """noise: signal-to-noise in dB of each layer alone. seconds: that it saves per step, measured, so some below 0.

    Each counts as saving something, however little: all layers in INT8 are tried first, whatever the clock says.
    """
    return [LayerCost(name, 10 ** (-value / 10), max(_LEAST_SECONDS, seconds[name])) for name, value in noise.items()]
