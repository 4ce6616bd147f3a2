"""ActivityNet's results format, for evaluators."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TextIO

from cmsn_runtime.events import Notice, StreamEvent
from cmsn_runtime.files import Replacement, written_to
from cmsn_runtime.names import video_id
from cmsn_runtime.sinks.base import Ending, Sink
from cmsn_runtime.sinks.kinds import SinkKind, one_path
from cmsn_runtime.sinks.spill import RankedSpill

_DECIMALS = 6


class ResultsSink(Sink):
    """Keeps final proposals, all ranks, and writes them at close, best first, under the name of each video.

    The file is written completely or not at all, and only if a source was opened. A video without proposals is in it,
    with an empty list. "external_data" names in "incomplete" the videos that were not read to their end, with the
    time reached and the reason, and in "settings" those of the bundle that were changed on site. Memory does not
    grow: beyond 50,000 proposals per video, they wait in a temporary file.
    """

    def __init__(self, path: Path, *, settings: Mapping[str, object] | None = None) -> None:
        self._path = path
        self._settings = dict(settings or {})
        with written_to(path):
            self._replacement = Replacement(path)
        self._proposals: dict[str, RankedSpill] = {}
        self._endings: dict[str, Ending] = {}

    @property
    def name(self) -> str:
        return str(self._path)

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Enter the source in the results, even if nothing is found in it."""
        self._proposals.setdefault(video_id(source), RankedSpill())
        self._endings[video_id(source)] = Ending(None, "not read to its end")

    def event(self, source: str, event: StreamEvent) -> None:
        """Keep final proposals."""
        if isinstance(event, Notice) or event.kind != "final":
            return
        proposal = event.proposal
        with written_to(self._path):
            self._proposals[video_id(source)].add((proposal.score, float(proposal.start), float(proposal.end)))

    def end(self, source: str, ending: Ending) -> None:
        """Record whether the source was read to its end."""
        self._endings[video_id(source)] = ending

    def close(self) -> None:
        """Write the file."""
        proposals, self._proposals = self._proposals, {}
        with written_to(self._path), self._replacement:
            if proposals:
                with self._replacement.unfinished.open("w", encoding="utf-8") as file:
                    _write(file, proposals, self._external())
                self._replacement.commit()
        for spill in proposals.values():
            spill.close()

    def _external(self) -> dict[str, object]:
        """What ActivityNet's format leaves to those who write it."""
        incomplete = {
            name: {"seconds": None if ending.seconds is None else _number(ending.seconds), "reason": ending.reason}
            for name, ending in self._endings.items()
            if ending.reason
        }
        found = {"incomplete": incomplete, "settings": self._settings}
        return {name: value for name, value in found.items() if value}


RESULTS = SinkKind(open=lambda value, context: ResultsSink(Path(value), settings=context.settings), paths=one_path)


def _write(file: TextIO, proposals: dict[str, RankedSpill], external: dict[str, object]) -> None:
    """As `json.dump` with an indent of 1 has it, one proposal after the other."""
    file.write('{\n "version": "VERSION 1.3",\n "results": {\n')
    videos = (f"  {json.dumps(name)}: " for name in proposals)
    for number, (head, spill) in enumerate(zip(videos, proposals.values(), strict=True)):
        file.write((",\n" if number else "") + head)
        _write_list(file, spill)
    file.write("\n },\n" + textwrap.indent(f'"external_data": {json.dumps(external, indent=1)}', " ") + "\n}\n")


def _write_list(file: TextIO, spill: RankedSpill) -> None:
    empty = True
    for text in _items(spill):
        file.write(("[\n" if empty else ",\n") + text)
        empty = False
    file.write("[]" if empty else "\n  ]")


def _items(spill: RankedSpill) -> Iterator[str]:
    for score, start, end in spill.ranked():
        item = {"score": round(score, _DECIMALS), "segment": [_number(start), _number(end)]}
        yield textwrap.indent(json.dumps(item, indent=1), "   ")


def _number(value: Fraction | float) -> float:
    return round(float(value), _DECIMALS)
