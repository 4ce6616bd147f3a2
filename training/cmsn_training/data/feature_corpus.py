"""A folder of feature files with their annotations, as rows and segments."""

from __future__ import annotations

from pathlib import Path

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.sources.features import FEATURE_SUFFIXES, read_features
from cmsn_training.data.corpus import AnnotatedVideo
from cmsn_training.data.truth import read_truth, segments_of


def load_feature_corpus(features: Path, annotations: Path, *, width: int) -> list[AnnotatedVideo]:
    """Every annotated video's rows: NAME.npy, .txt, .csv or .h5 in a folder, or dataset NAME of one HDF5 file.

    Raises SettingsError where files are missing or rows are not `width` wide, SourceError where one cannot be read.
    """
    truth = read_truth(annotations)
    addresses = {name: find_features(features, name) for name in sorted(truth)}
    missing = [name for name, address in addresses.items() if address is None]
    if missing or not addresses:
        what = f"no file for {len(missing)} of its entries ({', '.join(missing[:5])}...)" if missing else "no entry"
        raise SettingsError(
            f"{annotations}: {what} in {features}; each entry needs a file NAME{{{','.join(FEATURE_SUFFIXES)}}} there, "
            "or give one HDF5 file with a dataset for each"
        )
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
