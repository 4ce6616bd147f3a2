"""A folder of feature files with their annotations, as rows and segments."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import first_few
from cmsn_runtime.segments import Account
from cmsn_runtime.sources.features import length_fault, read_features, require_finite
from cmsn_training.data.corpus import AnnotatedVideo, require_segments, within
from cmsn_training.data.finding import FEATURES_WANTED, find_features, those_there
from cmsn_training.data.truth import read_truth, segments_of
from cmsn_training.vocabulary import Missing

_LOG = logging.getLogger(__name__)


def load_feature_corpus(
    features: Path,
    annotations: Path,
    *,
    width: int,
    rate: Fraction,
    subset: str | None = None,
    missing: Missing = "error",
) -> list[AnnotatedVideo]:
    """Every annotated video's rows: NAME.npy, .txt, .csv or .h5 in a folder, or dataset NAME of one HDF5 file.

    rate: rows per second. annotations, subset, missing: as `find_corpus` takes them. Raises SettingsError where files
    are missing or most videos do not last as long as annotated, SourceError where a file cannot be read, holds a value
    that is not finite, or rows that are not `width` wide.
    """
    truth = read_truth(annotations, subset=subset, note=_LOG.warning)
    found = find_features(features, sorted(truth))
    addresses = those_there(found, annotations, features, wanted=FEATURES_WANTED, missing=missing)
    corpus: list[AnnotatedVideo] = []
    account = Account(str(annotations))
    faults: dict[str, str] = {}
    for name, address in addresses.items():
        rows = read_features(address, width=width)
        require_finite(rows, address)
        fault = length_fault(len(rows), rate, truth[name].duration)
        if fault is not None:
            faults[name] = fault
        segments = within(segments_of(truth[name]), float(len(rows) / rate), name, account, tolerance=float(1 / rate))
        corpus.append(AnnotatedVideo(name, rows, segments))
    timed = sum(truth[name].duration is not None for name in addresses)
    _report_lengths(features, faults, timed)
    require_segments(corpus, truth, account)
    return corpus


def _report_lengths(features: Path, faults: dict[str, str], timed: int) -> None:
    """One line about rows that do not last as long as annotated; raises SettingsError where most of them do not.

    timed: how many videos have a duration in the annotations.
    """
    if not faults:
        return
    name, fault = next(iter(faults.items()))
    line = (
        f"{features}: {len(faults)} of {timed} videos do not last as long as annotated ({first_few(list(faults))}); "
        f"{name}: {fault}"
    )
    if 2 * len(faults) > timed:
        raise SettingsError(f"{line}; set grid.fps to the rate of the rows, or correct the durations")
    _LOG.warning("%s", line)
