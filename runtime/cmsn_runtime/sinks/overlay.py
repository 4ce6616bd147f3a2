"""Draws what is known of a source onto its pictures: name and time, live proposals, a rolling timeline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cmsn_runtime.events import Proposal
from cmsn_runtime.extras import require_library
from cmsn_runtime.sinks.colours import STAGE_COLOURS
from cmsn_runtime.sinks.scene import Scene
from cmsn_runtime.stages import Stage
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]

_BASE = (320, 240)  # width and height at which the scale is 1
_GROWTH = 0.8  # text grows more slowly than pictures
_LIVE, _FINAL, _TEXT, _INK = "#FFB000", "#4DA3F0", "#FFFFFF", "#101214"
_STAGES = {**STAGE_COLOURS, Stage.BACKGROUND: "#5B6168"}  # grey, on a dark ground
_UNSETTLED = "#2A2E33"
_GRID, _QUIET = "#6B7178", "#A7AFB8"
_LEGEND_WIDTH = 640  # of pictures, from which on the stages are named
_FINAL_SECONDS = 4.0  # for which a new final is shown in words
_MOST_CHIPS = 3
_SHADE = 0.72  # of the panels, at the picture's edge


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes in pixels for one size of picture."""

    width: int
    height: int
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    small: ImageFont.FreeTypeFont | ImageFont.ImageFont
    letters: int  # height of a line of text
    unit: int  # of margins and lines
    stages: tuple[int, int]  # top and bottom of the band of stages
    proposals: tuple[int, int]

    @property
    def top(self) -> int:
        """Height of the upper panel."""
        return self.letters + 5 * self.unit

    @property
    def bottom(self) -> int:
        """Top of the lower panel."""
        return self.proposals[0] - 2 * self.unit


def require_pillow() -> None:
    """Raise MissingExtraError where what draws is not installed."""
    require_library("PIL", package="pillow", extra="video", purpose="an annotated video")


class Overlay:
    """Draws onto pictures of any size; those narrower than 320 pixels should be enlarged before, for the text.

    Raises MissingExtraError where Pillow is not installed.
    """

    def __init__(self) -> None:
        require_pillow()

    def __call__(self, picture: Pixels, scene: Scene) -> Pixels:
        """Uint8 [height, width, 3] RGB -> a new one."""
        from PIL import Image, ImageDraw

        layout = _layout(picture.shape[1], picture.shape[0])
        image = Image.fromarray(_shaded(picture, layout))
        draw = ImageDraw.Draw(image)
        if scene.live:
            draw.rectangle((0, 0, layout.width - 1, layout.height - 1), outline=_LIVE, width=layout.unit)
        _draw_heading(draw, layout, scene)
        _draw_chips(draw, layout, scene)
        if layout.width >= _LEGEND_WIDTH:
            _draw_legend(draw, layout)
        _draw_timeline(draw, layout, scene)
        return np.asarray(image)


@lru_cache(maxsize=8)
def _layout(width: int, height: int) -> _Layout:
    from PIL import ImageFont

    scale = max(1.0, min(width / _BASE[0], height / _BASE[1])) ** _GROWTH
    unit = max(2, round(2 * scale))
    font, small = (ImageFont.load_default(size) for size in (round(13 * scale), round(11 * scale)))
    letters = round(13 * scale)
    low = height - 3 * unit
    stages = low - round(8 * scale), low
    proposals = stages[0] - unit - round(12 * scale), stages[0] - unit
    return _Layout(width, height, font, small, letters, unit, stages, proposals)


def _shaded(picture: Pixels, layout: _Layout) -> Pixels:
    """A copy, darker at its upper and lower edges, so that text is legible on anything."""
    shaded = picture.copy()
    for strip, flat in ((shaded[: layout.top], False), (shaded[layout.bottom :], True)):
        strip[:] = (strip * _shades(len(strip), flat=flat)[:, None, None]).astype(np.uint8)
    return shaded


@lru_cache(maxsize=8)
def _shades(rows: int, *, flat: bool = False) -> npt.NDArray[np.float32]:
    """What each row is multiplied by: dark at the top and brighter below it, or dark throughout."""
    if flat:
        return np.full(rows, 1 - _SHADE, np.float32)
    return np.linspace(1 - _SHADE, 1, rows, dtype=np.float32) ** 0.5


def _draw_heading(draw: ImageDraw.ImageDraw, layout: _Layout, scene: Scene) -> None:
    """The camera's name on the left, the time on the right."""
    margin = 3 * layout.unit
    time_width = draw.textlength(scene.clock, font=layout.font)
    room = layout.width - time_width - 4 * margin
    _text(draw, (margin, 2 * layout.unit), _fitted(draw, printable(scene.name), layout.font, room), layout.font)
    _text(draw, (layout.width - margin - time_width, 2 * layout.unit), scene.clock, layout.font)


def _draw_legend(draw: ImageDraw.ImageDraw, layout: _Layout) -> None:
    """The names of the stages of an action, below the time."""
    right, side = float(layout.width - 3 * layout.unit), layout.letters // 2
    middle = layout.top + layout.unit + side
    for stage in sorted(set(Stage) - {Stage.BACKGROUND}, reverse=True):
        name = stage.name.lower()
        draw.text(
            (right, middle), name, font=layout.small, fill=_TEXT, anchor="rm", stroke_width=1, stroke_fill="black"
        )
        right -= draw.textlength(name, font=layout.small) + side // 2
        draw.rectangle((right - side, middle - side / 2, right, middle + side / 2), fill=_STAGES[stage])
        right -= 2 * side


def _draw_chips(draw: ImageDraw.ImageDraw, layout: _Layout, scene: Scene) -> None:
    """One line in words for each live proposal, and for finals for a few seconds."""
    fresh = [final.proposal for final in scene.finals if scene.now - final.at < _FINAL_SECONDS]
    lines = [(f"ACTION {_words(live)}", _LIVE) for live in scene.live]
    lines += [(f"FINAL {_words(final)}", _FINAL) for final in fresh[-1:]]
    top = layout.top + layout.unit
    for text, colour in lines[-_MOST_CHIPS:]:
        left, line = 3 * layout.unit, layout.letters + 2 * layout.unit
        right = left + draw.textlength(text, font=layout.font) + 4 * layout.unit
        draw.rounded_rectangle((left, top, right, top + line), radius=2 * layout.unit, fill=colour)
        draw.text((left + 2 * layout.unit, top + line / 2), text, font=layout.font, fill=_INK, anchor="lm")
        top += line + layout.unit


def _draw_timeline(draw: ImageDraw.ImageDraw, layout: _Layout, scene: Scene) -> None:
    """The last seconds, now at the right edge: proposals, below them the stages, half as high until settled."""
    low, high = layout.stages
    left, right = 3 * layout.unit, layout.width - 3 * layout.unit

    def x(seconds: float) -> float:
        share = (seconds - scene.since) / (scene.now - scene.since)
        return left + min(max(share, 0.0), 1.0) * (right - left)

    draw.rectangle((left, low, right, high - 1), fill=_UNSETTLED)
    for runs, upper in ((scene.runs, low), (scene.preview, (low + high) // 2)):
        for run in runs:
            begin, end = x(float(run.start)), x(float(run.end))
            if end > begin:
                draw.rectangle((begin, upper, end - 1, high - 1), fill=_STAGES[run.stage])
    top = layout.proposals[0]
    for seconds in range(10, int(scene.now - scene.since) + 1, 10):
        draw.line((x(scene.now - seconds), top, x(scene.now - seconds), low - 1), fill=_GRID, width=1)
    first = f"{scene.now - scene.since:.0f} s ago"
    draw.text((left + layout.unit, (top + layout.proposals[1]) / 2), first, font=layout.small, fill=_QUIET, anchor="lm")
    finals = [final.proposal for final in scene.finals]
    for proposals, colour in ((finals, _FINAL), (scene.live, _LIVE)):
        for proposal in proposals:
            _draw_bar(draw, layout, proposal, (x(float(proposal.start)), x(float(proposal.end))), colour)
    draw.line((right, top, right, high - 1), fill=_TEXT, width=max(1, layout.unit // 2))


def _draw_bar(
    draw: ImageDraw.ImageDraw, layout: _Layout, proposal: Proposal, span: tuple[float, float], colour: str
) -> None:
    """A proposal, with its score where it has room for it."""
    (left, right), (top, bottom) = span, layout.proposals
    if right - left < 1:
        return
    draw.rounded_rectangle((left, top, right, bottom - 1), radius=layout.unit, fill=colour)
    text = f"{proposal.score:.2f}"
    if draw.textlength(text, font=layout.small) + 2 * layout.unit <= right - left:
        middle = (left + right) / 2, (top + bottom) / 2
        draw.text(middle, text, font=layout.small, fill=_INK, anchor="mm")


def _words(proposal: Proposal) -> str:
    return f"{proposal.score:.2f}  {float(proposal.end - proposal.start):.1f} s"


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Bright text with a dark edge."""
    draw.text(place, text, font=font, fill=_TEXT, stroke_width=1, stroke_fill="#000000")


def _fitted(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    """As much of a text as there is room for."""
    if draw.textlength(text, font=font) <= room:
        return text
    while text and draw.textlength(f"{text}…", font=font) > room:
        text = text[:-1]
    return f"{text}…" if text else ""
