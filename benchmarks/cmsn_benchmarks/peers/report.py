"""What a run found: a table for each schedule, and the ratios that this project must reach."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cmsn_benchmarks.peers.measuring import Found, Times
from cmsn_benchmarks.peers.rows import CHUNKS, PLAIN, TWO_CAMERAS, WINDOWS, clip_name, streamed_name
from cmsn_benchmarks.speed.backends import compared, spread

Figures = dict[str, object]
Turns = Mapping[str, Times]


def report_of(found: Found, turns: Turns) -> Figures:
    """Groups of ways, ratios, notes on some ways, and those that were left out with the reason."""
    groups: dict[str, Figures] = {}
    for group in dict.fromkeys(each.peer.group for each in found.opened.values()):
        names = [name for name, each in found.opened.items() if each.peer.group == group]
        reference = PLAIN if PLAIN in turns and group != TWO_CAMERAS else names[0]
        rows = compared({name: turns[name] for name in (reference, *names)}, reference=reference, frames=1)
        for name in names:
            each = found.opened[name]
            more = {"relative_error": float(f"{each.error:.2g}"), "opening_seconds": float(f"{each.seconds:.3g}")}
            groups.setdefault(group, {})[name] = rows[name] | more
    notes = {name: each.peer.note for name, each in found.opened.items() if each.peer.note}
    return {**groups, "ratios": _ratios(found, turns), "notes": notes, "left_out": dict(found.left_out)}


def _ratios(found: Found, turns: Turns) -> Figures:
    """Of each round: how many times as fast as the other."""
    return {"over_the_papers_schedule": _over_windows(found, turns), "stateful_over_offline": _over_offline(turns)}


def _over_offline(turns: Turns) -> Figures:
    """With states against without, with as many frames a call; and 8 frames a call against a long clip."""
    pairs = {
        f"{precision}, {chunk} frames a call, over a clip of {clip}": (
            streamed_name(precision, chunk),
            clip_name(precision, clip),
        )
        for precision in ("FP32", "BF16")
        for chunk in CHUNKS
        for clip in sorted({chunk, CHUNKS[-1]})
    }
    return _of_pairs(pairs, turns)


def _over_windows(found: Found, turns: Turns) -> Figures:
    """Against the fastest torch in windows: in FP32, and in any precision."""
    windows = {name: each.peer.precision for name, each in found.opened.items() if each.peer.group == WINDOWS}
    pairs = {}
    for what, allowed in (("FP32", {"FP32"}), ("any precision", {"FP32", "BF16"})):
        names = [name for name, precision in windows.items() if precision in allowed]
        best = min(names, key=lambda name: np.median([wall for wall, _ in turns[name]]), default=None)
        if best is not None:
            for precision in ("FP32", "BF16"):
                for chunk in CHUNKS:
                    label = f"{precision}, {chunk} frames a call, over the best torch in {what} ({best})"
                    pairs[label] = (streamed_name(precision, chunk), best)
    return _of_pairs(pairs, turns)


def _of_pairs(pairs: Mapping[str, tuple[str, str]], turns: Turns) -> Figures:
    """By wall time, and by CPU time, which says more while others use the machine."""
    report: Figures = {}
    for label, (own, other) in pairs.items():
        if own in turns and other in turns:
            wall, cpu = (np.array(turns[other]) / np.array(turns[own])).T
            report[label] = {"by_wall_time": spread(wall), "by_cpu_time": spread(cpu)}
    return report
