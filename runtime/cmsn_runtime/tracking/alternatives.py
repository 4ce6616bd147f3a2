"""Adds to the finals of an action what earlier looks took for its best proposal.

While an action goes on, its end is the newest step. Where the network does not see that it is over, later looks move
the end ever further, and what was right for a moment would be lost. What stood for several looks is the better guess.
"""

from __future__ import annotations

from collections.abc import Sequence

from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.proposing.suppress import suppress
from cmsn_runtime.tracking.tracks import Span, Stood


def with_alternatives(
    spans: tuple[Span, ...], stood: Sequence[Stood], *, full_looks: int, settings: ProposalSettings
) -> tuple[Span, ...]:
    """The spans of the last look, best first, and among them those that stood before, each once.

    A span that stood for fewer looks than `full_looks` counts with the share of its score that it stood for. The
    settings' suppression lowers it further by its overlap with the best of the last look and with others that stood.
    The best remains the best; no score exceeds its score, and none of the last look changes.
    """
    best, known = spans[0], {(span.start, span.end) for span in spans}
    earlier = [each for each in stood if (each.span.start, each.span.end) not in known]
    if not earlier or full_looks < 1:
        return spans
    scores = [each.span.score * min(1.0, each.looks / full_looks) for each in earlier]
    rivals = [best, *(each.span for each in earlier)]
    # With score 1 the best of the last look is taken first, and lowers all others.
    order, kept = suppress([span.start for span in rivals], [span.end for span in rivals], [1.0, *scores], settings)
    added = [
        Span(rivals[place].start, rivals[place].end, min(score, best.score))
        for place, score in zip(order.tolist(), kept.tolist(), strict=True)
        if place > 0
    ]
    rest = sorted((*spans[1:], *added), key=lambda span: -span.score)
    return (best, *rest)[: settings.max_proposals]
