"""Networks in which some layers are INT8: each is built and compared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cmsn_calibration.calibrating import Calibration
from cmsn_calibration.choosing import with_ranges
from cmsn_calibration.comparing import Compared, Comparison
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.quality import Recall

# A function that starts to count so many things, and returns what counts one.
Counter = Callable[[str, int], Callable[[], object]]


class Trials:
    """What mixes of a calibration cost on one set of videos. what: is compared, for the progress."""

    def __init__(self, calibration: Calibration, comparison: Comparison, counter: Counter, *, what: str) -> None:
        self._calibration, self._comparison, self._counter, self._what = calibration, comparison, counter, what
        self._found: dict[tuple[str, ...], Compared] = {}

    def graph(self, floats: Sequence[str], *, ranges: Mapping[str, float] | None = None) -> bytes:
        """The extractor in which the named layers stay float. ranges: of the others, by layer, instead of its own."""
        return with_ranges(
            self._calibration.graph, self._calibration.layers, ranges or self._calibration.found_ranges, without=floats
        )

    def compared(self, floats: Sequence[str]) -> Compared:
        """What the extractor costs in which the named layers stay float. Raises BackendError."""
        key = tuple(sorted(floats))
        if key not in self._found:
            number = len(self._found) + 1
            count = self._counter(f"mix {number} on {self._what}", len(self._comparison))
            self._found[key] = self._comparison.with_graph(self.graph(key), count)
        return self._found[key]

    def alone(self, layer: str) -> Compared:
        """What a layer costs that is the only one in INT8."""
        others = [item.name for item in self._calibration.layers if item.name != layer]
        count = self._counter(f"{layer} alone on {self._what}", len(self._comparison))
        return self._comparison.with_graph(self.graph(others), count)

    def with_ranges(self, ranges: Mapping[str, float], floats: Sequence[str]) -> Compared:
        """What other ranges cost, by layer."""
        count = self._counter(f"a tenth of the stretches on {self._what}", len(self._comparison))
        return self._comparison.with_graph(self.graph(floats, ranges=ranges), count)

    def recall(self, floats: Sequence[str]) -> Recall:
        """Raises SettingsError where no compared video has labels."""
        found = self.compared(floats).quality.recall
        if found is None:
            raise SettingsError(f"none of the {self._what} has labels; name their annotations, or omit --max-ar-drop")
        return found
