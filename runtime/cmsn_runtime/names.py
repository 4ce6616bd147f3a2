"""Names of videos: the same rule for sources, annotations, results, feature files and datasets.

NAME, v_NAME, NAME.mp4, FOLDER/NAME.mp4, NAME.npy and FILE.h5::NAME are the same video. Only suffixes of videos and of
feature files are cut, so that "2020.01.02_cam" keeps its text; the exact name always comes first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from cmsn_runtime.sources.addresses import public_name

# Where one video has several files, training uses the suffix that comes first here.
VIDEO_SUFFIXES = (
    *(".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"),
    *(".mts", ".m2ts", ".m2t", ".vob", ".ogv", ".asf", ".f4v", ".3g2", ".mxf", ".dav", ".rm", ".rmvb", ".divx"),
    *(".m2v", ".mjpg", ".mjpeg", ".h264", ".264", ".h265", ".265", ".hevc", ".ivf", ".y4m", ".nut", ".qt", ".gif"),
)
FEATURE_SUFFIXES = (".npy", ".txt", ".csv", ".h5", ".hdf5")
HDF5_SUFFIXES = (".h5", ".hdf5")
_PLAYLIST_SUFFIXES = (".m3u8", ".mpd", ".sdp")
_CUT = frozenset((*VIDEO_SUFFIXES, *FEATURE_SUFFIXES, *_PLAYLIST_SUFFIXES))
_PREFIX = "v_"  # ActivityNet's annotations omit the "v_" with which its files begin
# A sequence of pictures: NAME_%05d.png, NAME/img_%05d.jpg, NAME/*.png. Some prefixes are common to all.
_SEQUENCE = re.compile(
    r"(?P<name>.*?)(?:[-_. ]+\d*)?(?:\*|%0?\d*d|\?|\[)(?=.*\.(?:jpe?g|png|bmp|webp|tiff?|p[gpnb]m|\*)$|[^.]*\*$|$)",
    re.IGNORECASE,
)
_COMMON = frozenset({"", "img", "image", "im", "frame", "picture", "pic", "flow_x", "flow_y"})
_COMMON_PLAYLISTS = frozenset({"index", "playlist", "master", "manifest", "chunklist", "stream"})

Value = TypeVar("Value")


def video_id(source: str) -> str:
    """The name of a source in annotations and results.

    The dataset of FILE.h5::DATASET; of a sequence of pictures the name before its numbers, or its folder; of a playlist
    such as NAME/index.m3u8 its folder; otherwise the last part of a path or URL without a video's or feature file's
    suffix; the host where a URL has no path. Never any part of a password or query.
    """
    _, dataset = split_dataset(source)
    if dataset:
        return dataset
    source = public_name(source)
    base, parent = _url_parts(source) if "://" in source else _path_parts(source)
    sequence = _SEQUENCE.match(base)
    if sequence:
        name = sequence["name"]
        return (parent if name.lower() in _COMMON else name) or source
    name = without_suffix(base)
    if base.lower().endswith(_PLAYLIST_SUFFIXES) and name.lower() in _COMMON_PLAYLISTS:
        name = parent or name
    return name or source


def split_dataset(address: str) -> tuple[str, str]:
    """FILE.h5::DATASET -> ("FILE.h5", "DATASET"); any other address is returned whole, with an empty dataset."""
    file, mark, dataset = address.partition("::")
    if mark and file.lower().endswith(HDF5_SUFFIXES):
        return file, dataset.strip("/")
    return address, ""


def without_suffix(name: str) -> str:
    """A name without the suffixes of videos and feature files: "a.mp4" and "a.mp4.npy" are "a", "a.b" stays."""
    for shorter in _shortened(name):
        name = shorter
    return name


def first_few(names: Sequence[str], *, most: int = 5) -> str:
    """Names for one line of text: "a, b, c and 4 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


class ByName(Mapping[str, Value]):
    """Values of videos, each found by any name that refers to the video.

    Iterates over the names as given. A name that fits several refers to the first of them.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values
        self._plain = _index(values, _forms)
        self._bare = _index(values, _bare_forms)
        folders: dict[str, list[str]] = {}
        for name in values:
            if "/" in name:
                folders.setdefault(_folder(name), []).append(name)
        # "NAME/c3d" belongs to NAME where its group contains nothing else.
        alone = {folder: names[0] for folder, names in folders.items() if len(names) == 1}
        self._folders = {form: name for folder, name in alone.items() for form in _all_forms(folder)}

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __getitem__(self, name: str) -> Value:
        own = self.own_name(name)
        if own is None:
            raise KeyError(name)
        return self._values[own]

    def own_name(self, name: str) -> str | None:
        """The name among these that refers to the same video; None where none does."""
        if name in self._values:
            return name
        forms, bare = _forms(name), _bare_forms(name)
        # "v_" is removed last, on either side: NAME.avi belongs to NAME rather than v_NAME.mp4.
        found = next((form for form in (*forms, *bare) if form in self._values), None)
        found = found or _first(forms, self._plain) or _first(forms, self._bare) or _first(bare, self._plain)
        if found is None and "/" in name:
            folder = _all_forms(_folder(name))
            found = _first(folder, self._plain) or _first(folder, self._bare)
        return found or _first([*forms, *bare], self._folders)


def _index(names: Iterable[str], forms: Callable[[str], list[str]]) -> dict[str, str]:
    """Form -> the first name that has this form."""
    index: dict[str, str] = {}
    for name in names:
        for form in forms(name):
            index.setdefault(form, name)
    return index


def _first(forms: Iterable[str], index: Mapping[str, str]) -> str | None:
    return next((index[form] for form in forms if form in index), None)


def _all_forms(name: str) -> list[str]:
    return [*_forms(name), *_bare_forms(name)]


def _forms(name: str) -> list[str]:
    """The names of one video, from the given one to the shortest: without folder, without suffixes."""
    _, dataset = split_dataset(name)
    plain = unicodedata.normalize("NFC", dataset or name)  # macOS decomposes accents in file names
    base = re.split(r"[/\\]", plain.rstrip("/\\"))[-1] or plain
    return [plain, base, *_shortened(base)]


def _bare_forms(name: str) -> list[str]:
    """The names that begin with "v_", without it."""
    return [form[len(_PREFIX) :] for form in _forms(name) if form.startswith(_PREFIX) and form != _PREFIX]


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.name


def _shortened(name: str) -> Iterator[str]:
    """The name with one known suffix removed, with two ..."""
    while True:
        stem, dot, suffix = name.rpartition(".")
        if not (stem and dot and f".{suffix.lower()}" in _CUT):
            return
        name = stem
        yield name


def _url_parts(url: str) -> tuple[str, str]:
    """Last part of a URL's path, or its host, and the part before."""
    try:
        parts = urlsplit(url)
        path, host = PurePosixPath(unquote(parts.path)), parts.netloc.rpartition("@")[2]
    except ValueError:  # an address such as "rtsp://[::1"
        return url, ""
    return path.name or host, path.parent.name


def _path_parts(path: str) -> tuple[str, str]:
    """Last part of a path, and its folder; "." is resolved to its folder."""
    found = Path(path)
    if found.name in ("", "..") and path:
        found = found.resolve()
    return found.name, found.parent.name
