"""Margins between classes, and which of them each loss allows; importing this loads no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cmsn_runtime.errors import SettingsError
from cmsn_training.vocabulary import LossKind, MarginForm, MarginSpace

# Figure 4: the six stages on a cycle laid out twice on 0..15, so that Follow and Background are neighbours too.
# The paper makes the gaps between Ready and Start and between End and Follow large.
STAGE_VALUES: tuple[tuple[int, ...], ...] = ((0, 8), (1, 9), (3, 11), (4, 12), (5, 13), (7, 15))

# LMCL and ArcFace: those of their own papers, of the size of VMCL's mean margin over all pairs of stages (0.29). With 6
# classes the best possible gap between true and other cosines is C / (C - 1) = 1.2, and p = 0.999 takes a gap of
# ln(5 * 999) / s = 0.53 at s = 16: a margin up to 0.67 is feasible, 0.35 and 0.5 rad (0.12 where theta = 0) are less.
DEFAULT_M: dict[LossKind, float] = {"lmcl": 0.35, "arcface": 0.5, "vmcl": 0.1, "vmcl-arc": 0.1}


def margin_table(
    m: float, n: float, *, values: Sequence[Sequence[int]] = STAGE_VALUES, form: MarginForm = "worked-example"
) -> list[list[float]]:
    """Margins f(j, i) between class j and the true class i, [classes][classes], row = true class.

    m: growth of the margin with the distance of the two classes. n: the minimum margin. values: v of each class.
    form: `worked-example` is (min|v(j) - v(i)| - 1) * m + n, which gives the figures the paper works out
        (Ready against the others: 0.15, 0, 0.25, 0.35, 0.45, 0.25) and makes n the minimum the text says it is;
        `printed` is equation 7 literally, min|v(j) - v(i)| * m + n, which gives 0.1 more.
    """
    offset = 1 if form == "worked-example" else 0

    def margin(i: int, j: int) -> float:
        distance = min(abs(a - b) for a in values[i] for b in values[j])
        return 0.0 if i == j else (distance - offset) * m + n

    classes = range(len(values))
    return [[margin(i, j) for j in classes] for i in classes]


def check_loss(kind: LossKind, *, m: float | None, n: float, form: MarginForm) -> None:
    """Raises SettingsError where the kind does not allow these margins; m None is its default."""
    if kind == "softmax":
        if m is not None:
            raise SettingsError(f"m = {m} with kind = 'softmax', which has no margin: leave m out")
        return
    margin = DEFAULT_M[kind] if m is None else m
    if kind == "lmcl":
        check_lmcl(margin)
    elif kind == "arcface":
        check_arcface(margin)
    else:
        check_vmcl(margin, n, form=form, space="cosine" if kind == "vmcl" else "angle")


def check_lmcl(m: float) -> None:
    """Raises SettingsError for a negative margin."""
    if not m >= 0:
        raise SettingsError(f"margin m = {m} of LMCL: give 0 or more; 0 is a normalised softmax")


def check_arcface(m: float) -> None:
    """Raises SettingsError for a margin outside 0..pi."""
    if not 0 <= m <= math.pi:
        raise SettingsError(f"margin m = {m} of ArcFace is an angle in radians: give 0..pi")


def check_vmcl(
    m: float,
    n: float,
    *,
    values: Sequence[Sequence[int]] = STAGE_VALUES,
    form: MarginForm = "worked-example",
    space: MarginSpace = "cosine",
) -> None:
    """Raises SettingsError for negative m or n, and for margins above pi where they are angles."""
    if not (m >= 0 and n >= 0):
        raise SettingsError(f"margins m = {m}, n = {n} of VMCL: give 0 or more; 0 and 0 is a normalised softmax")
    largest = max(map(max, margin_table(m, n, values=values, form=form)))
    if space == "angle" and not largest <= math.pi:
        raise SettingsError(
            f"m = {m}, n = {n} give VMCL margins up to {largest:.2f}; as angles they end at pi: lower m or n"
        )
