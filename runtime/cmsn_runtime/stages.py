"""The six stages of an action and how they take part in proposals (paper, sections 3.1 and 3.2)."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """One label per feature step; the numbers are the model's class indices."""

    BACKGROUND = 0
    READY = 1
    START = 2
    CONFIRM = 3
    END = 4
    FOLLOW = 5


STAGE_COUNT = len(Stage)
