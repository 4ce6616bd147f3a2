"""The AR-AN curve as the public evaluators compute it: loops over thresholds, videos and fractions of each list."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cmsn_training.evaluation import Protocol, Spans
from cmsn_training.evaluation.protocols import Curve


def average_recall(
    proposals: Mapping[str, Spans], truth: Mapping[str, Spans], protocol: Protocol
) -> tuple[Curve, Curve]:
    """Average number of proposals and average recall at each point, [points] each.

    Takes the arguments of `recall_curve`, so the public evaluators' selection of each video's rows from one long pandas
    table, which costs them even more, is omitted. A limit on proposals applies equally to every list.
    """
    videos = [name for name, segments in truth.items() if len(segments) or protocol.counts_empty]
    lists = [proposals.get(name, np.empty((0, 2))) for name in videos]
    if protocol.max_average is not None:
        share = protocol.max_average * len(videos) / sum(len(spans) for spans in lists)
        lists = [spans[: int(len(spans) * share)] for spans in lists]
    total = sum(len(spans) for spans in lists)
    shares = np.arange(1, protocol.points + 1) / protocol.points
    if protocol.max_average is not None:
        shares = shares * (protocol.max_average * len(videos) / total)

    overlaps = [_overlaps(truth[name], spans, protocol) for name, spans in zip(videos, lists, strict=True)]
    positives = sum(len(rows) for rows in overlaps)
    recall = np.empty((len(protocol.thresholds), protocol.points))
    matches = np.empty((len(videos), protocol.points))
    for row, threshold in enumerate(protocol.thresholds):
        for video, overlap in enumerate(overlaps):
            hits = overlap >= threshold
            for point, fraction in enumerate(shares):
                taken = min(int(overlap.shape[1] * fraction), overlap.shape[1])
                matches[video, point] = np.count_nonzero(hits[:, :taken].sum(axis=1))
        recall[row] = matches.sum(axis=0) / positives
    return shares * total / len(videos), recall.mean(axis=0)


def _overlaps(truth: Spans, spans: Spans, protocol: Protocol) -> Spans:
    """tIoU of each true segment with each proposal, row by row -> [G, K]."""
    extra = float(protocol.inclusive)
    found = np.zeros((len(truth), len(spans)))
    for row, (start, end) in enumerate(truth):
        overlap = np.minimum(end, spans[:, 1]) - np.maximum(start, spans[:, 0]) + extra
        overlap = overlap.clip(0)
        found[row] = overlap / ((end - start + extra) + (spans[:, 1] - spans[:, 0] + extra) - overlap)
    return found
