"""What a capture process is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cmsn_runtime.sources.options import SourceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Of one session. address: with its passwords: never to be printed. size: (height, width) of frames.

    picture_width, pictures_per_second: of pictures for people; 0 per second without. packets: send these as well.
    paced: play a file at its own speed.
    """

    address: str
    size: tuple[int, int]
    options: SourceOptions
    picture_width: int
    pictures_per_second: float
    packets: bool
    paced: bool

    def __repr__(self) -> str:
        return f"Task({self.size[1]}x{self.size[0]})"

    def to_json(self) -> dict[str, object]:
        """For the process; see from_json."""
        options = self.options
        return {
            "address": self.address,
            "size": self.size,
            "picture_width": self.picture_width,
            "pictures_per_second": self.pictures_per_second,
            "packets": self.packets,
            "paced": self.paced,
            "options": {
                "fps": _text(options.fps),
                "demuxer": dict(options.demuxer),
                "video_stream": options.video_stream,
                "begin": _text(options.begin),
                "length": _text(options.length),
            },
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Task:
        """What `to_json` gave; other keys are ignored."""
        options = found["options"]
        return cls(
            address=found["address"],
            size=(found["size"][0], found["size"][1]),
            options=SourceOptions(
                fps=_fraction(options["fps"]),
                demuxer=options["demuxer"],
                video_stream=options["video_stream"],
                begin=_fraction(options["begin"]),
                length=_fraction(options["length"]),
            ),
            picture_width=found["picture_width"],
            pictures_per_second=found["pictures_per_second"],
            packets=found["packets"],
            paced=found["paced"],
        )


def _text(number: Fraction | None) -> str | None:
    return None if number is None else str(number)


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
