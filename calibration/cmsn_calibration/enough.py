"""Whether a calibration saw enough: what the ranges of a tenth of its stretches would have cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cmsn_calibration.choosing import LayerRange
from cmsn_calibration.comparing import Compared
from cmsn_calibration.histogram import Histogram
from cmsn_calibration.ranges import find_range

_MOST_POINTS, _MOST_DECIBELS = 0.3, 3.0


@dataclass(frozen=True, slots=True)
class Tenth:
    """stretches: of the tenth. whole, tenth: what the ranges of all stretches and of these cost."""

    stretches: int
    whole: Compared
    tenth: Compared

    @property
    def agrees(self) -> bool:
        """Within 0.3 points of AR@10 where there are labels, and 3 dB of the features: more videos change little."""
        whole, tenth = self.whole.quality, self.tenth.quality
        if whole.recall and tenth.recall and abs(whole.recall.percent - tenth.recall.percent) > _MOST_POINTS:
            return False
        return abs(whole.signal_to_noise - tenth.signal_to_noise) <= _MOST_DECIBELS

    def line(self) -> str:
        """For people."""
        quality = self.tenth.quality
        recall = "" if quality.recall is None else f", AR@{quality.recall.number} {quality.recall.percent:.2f}"
        verdict = (
            "as with all, so more videos would change little"
            if self.agrees
            else "other than with all, so more videos would change it too: this calibration may not be enough"
        )
        return f"with the ranges of {self.stretches} stretches: {quality.signal_to_noise:.1f} dB{recall}: {verdict}"


def ranges_of(chosen: tuple[LayerRange, ...], histograms: Mapping[str, Histogram]) -> dict[str, float]:
    """Layer -> its range by the same method, from other histograms of what it reads, by layer."""
    return {item.layer: find_range(histograms[item.layer], item.method) for item in chosen}
