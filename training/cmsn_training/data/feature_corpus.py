"""A folder of feature files with their annotations, as rows and segments."""

from __future__ import annotations

import logging
from pathlib import Path

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.names import FEATURE_SUFFIXES
from cmsn_runtime.sources.features import read_features
from cmsn_training.data.corpus import AnnotatedVideo, Missing, those_there
from cmsn_training.data.truth import read_truth, segments_of

_LOG = logging.getLogger(__name__)


def load_feature_corpus(
    features: Path, annotations: Path, *, width: int, subset: str | None = None, missing: Missing = "error"
) -> list[AnnotatedVideo]:
    """Every annotated video's rows: NAME.npy, .txt, .csv or .h5 in a folder, or dataset NAME of one HDF5 file.

    annotations, subset, missing: as `load_corpus` takes them. Raises SettingsError where files are missing or rows are
    not `width` wide, SourceError where one cannot be read.
    """
    truth = read_truth(annotations, subset=subset, tell=_LOG.warning)
    found = {name: find_features(features, name) for name in sorted(truth)}
    wanted = f"NAME with {', '.join(FEATURE_SUFFIXES)}; or give one HDF5 file with a dataset for each"
    addresses = those_there(found, annotations, features, wanted=wanted, missing=missing)
    corpus: list[AnnotatedVideo] = []
    for name, address in addresses.items():
        rows = read_features(str(address))
        if rows.shape[1] != width:
            raise SettingsError(f"{address}: its rows have {rows.shape[1]} values; features.width is {width}")
        corpus.append(AnnotatedVideo(name, rows, segments_of(truth[name])))
    return corpus


def find_features(features: Path, name: str) -> str | None:
    if features.suffix.lower() in (".h5", ".hdf5"):
        return f"{features}::{name}"
    paths = (features / f"{name}{suffix}" for suffix in FEATURE_SUFFIXES)
    return next((str(path) for path in paths if path.is_file()), None)
