"""The losses of a source: frames that it could not deliver."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Losses:
    """Counts until now; false where nothing was lost.

    unseen_seconds: before the first frame that could be decoded (a stream joined between two key frames).
    damaged: packets, or pictures of a sequence (`unit`), that could not be decoded after that.
    untimed: frames that were decoded and have no place in time, being no later than the one before them.
    """

    unseen_seconds: Fraction = Fraction(0)
    damaged: int = 0
    untimed: int = 0
    unit: str = "packet"

    def __bool__(self) -> bool:
        return bool(self.unseen_seconds or self.damaged or self.untimed)

    def __str__(self) -> str:
        """One line, as "2.40 s before the first key frame and 3 damaged packets could not be shown"; or nothing."""
        parts = [
            f"{float(self.unseen_seconds):.2f} s before the first key frame" if self.unseen_seconds else "",
            _counted(self.damaged, f"damaged {self.unit}"),
            _counted(self.untimed, "frame without a place in time", "frames without a place in time"),
        ]
        said = [part for part in parts if part]
        return f"{', '.join(said[:-1])}{' and ' if said[1:] else ''}{said[-1]} could not be shown" if said else ""


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}" if count else ""
