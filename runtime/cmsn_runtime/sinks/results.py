"""ActivityNet's results format, for evaluators."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.events import Proposal, StreamEvent
from cmsn_runtime.files import replacing, require_writable, written_to
from cmsn_runtime.names import video_id
from cmsn_runtime.sinks.base import Sink


class ResultsSink(Sink):
    """Keeps final proposals, all ranks, and writes them at close, best first, under the name of each video.

    The file is written whole or not at all. A video without proposals is in it, with an empty list.
    """

    def __init__(self, path: Path) -> None:
        with written_to(path):
            require_writable(path)
        self._path = path
        self._proposals: dict[str, list[Proposal]] = {}

    def begin(self, source: str, duration: Fraction | None) -> None:
        """A source that was looked at is in the results, whatever is found in it."""
        self._proposals.setdefault(video_id(source), [])

    def event(self, source: str, event: StreamEvent) -> None:
        """Keep what is final."""
        if event.kind == "final":
            self._proposals[video_id(source)].append(event.proposal)

    def close(self) -> None:
        """Write the file."""
        results = {
            name: [
                {"score": round(one.score, 6), "segment": [round(float(one.start), 6), round(float(one.end), 6)]}
                for one in sorted(proposals, key=lambda proposal: -proposal.score)
            ]
            for name, proposals in self._proposals.items()
        }
        content = {"version": "VERSION 1.3", "results": results, "external_data": {}}
        with replacing(self._path) as unfinished:
            unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
