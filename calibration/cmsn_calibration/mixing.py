"""Searches the mix of INT8 and float layers that is fast, and loses no more recall than is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cmsn_calibration.choosing import LayerRange
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.quality import Recall


@dataclass(frozen=True, slots=True)
class Mix:
    """floats: layers that stay float, the most damaging one first. recall: of the network with all others in INT8."""

    floats: tuple[str, ...]
    recall: Recall


def search_mix(
    ranges: Sequence[LayerRange], measure: Callable[[Sequence[str]], Recall], *, most_drop: float
) -> Iterator[Mix]:
    """Mixes, each as it is measured; the last one loses at most so many points.

    All layers in INT8 come first; then, one after another, the layer with the most damage by itself stays float, until
    the loss is small enough. ranges: with the damage of each layer. measure: recall of the network in which the named
    layers stay float. Raises SettingsError where only the float network is good enough.
    """
    by_damage = [item.layer for item in sorted(ranges, key=lambda item: item.signal_to_noise)]
    for count in range(len(by_damage)):
        mix = Mix(tuple(by_damage[:count]), measure(by_damage[:count]))
        yield mix
        if mix.recall.drop <= most_drop:
            return
    raise SettingsError(
        f"every mix of layers loses more than {most_drop:g} points of AR@{mix.recall.number} (the last one "
        f"{mix.recall.drop:.2f}); nothing was written; allow more with --max-ar-drop, or take more videos with more "
        "actions, on which a few misses weigh less"
    )
