"""Passes what is found in live cameras on to the page and the metrics."""

from __future__ import annotations

from fractions import Fraction

from cmsn_runtime.events import StagePreview, StageStep, StreamEvent
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.serving.board import Board
from cmsn_runtime.serving.feed import Feed, Message
from cmsn_runtime.serving.metrics import Metrics
from cmsn_runtime.sinks.base import Sink


class PageSink(Sink):
    """What `start_web` shows. Its hooks only store: none waits for a browser.

    step_seconds: length of a feature step. Raises MissingExtraError.
    """

    wants_pictures = True
    wants_previews = True

    def __init__(self, *, step_seconds: Fraction) -> None:
        self.board = Board(step_seconds=step_seconds)
        self.feed = Feed()
        self.metrics = Metrics()

    @property
    def name(self) -> str:
        return "the page"

    def picture(self, source: str, frame: Frame) -> None:
        """Keep the newest."""
        self._send(self.board.add_picture(source, frame))

    def step(self, source: str, step: StageStep) -> None:
        """Lengthen the timeline."""
        self._send(self.board.add_step(source, step))

    def preview(self, source: str, preview: StagePreview) -> None:
        """Replace the newest part of the timeline."""
        self._send(self.board.add_preview(source, preview))

    def event(self, source: str, event: StreamEvent) -> None:
        """Count it, and show it."""
        self.metrics.count(source, event)
        self._send(self.board.add_event(source, event))

    def _send(self, message: Message | None) -> None:
        if message is not None:
            self.feed.send(message)
