"""Groups the ranked proposals of one hop by the action they belong to."""

from __future__ import annotations

import numpy as np

from cmsn_runtime.proposing.pipeline import Candidates, Ranked
from cmsn_runtime.stages import Stage
from cmsn_runtime.tracking.tracks import Sighting, Span

_ACTIVE = (int(Stage.START), int(Stage.CONFIRM), int(Stage.END))


def sightings_of(found: Candidates, ranked: Ranked, *, begin: int) -> list[Sighting]:
    """One sighting per sequence q_c that has proposals, or whose proposals may have left the window; in order of time.

    begin: step of the segment at which the window begins. Sequences never overlap, so Soft-NMS over the whole
    window equals Soft-NMS within each of them, and each action can be settled independently.
    """
    sightings: list[Sighting] = []
    for owner, (first, last, *_) in enumerate(found.sequences.tolist()):
        mine = np.flatnonzero(ranked.owners == owner)
        cut = first == 0 and begin > 0
        if len(mine) == 0 and not cut:
            continue
        active = np.flatnonzero(np.isin(found.stages[first : last + 1], _ACTIVE))
        active_last = first + int(active[-1]) if len(active) else last
        spans = tuple(
            Span(begin + int(ranked.starts[i]), begin + int(ranked.ends[i]) + 1, float(ranked.scores[i])) for i in mine
        )
        sightings.append(Sighting(begin + first, begin + last + 1, begin + active_last + 1, spans, cut=cut))
    return sightings
