"""Which videos an archive holds: files, folders, globs, lists of addresses, and URLs that fsspec opens."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from cmsn_runtime.archive.stores import lines_of
from cmsn_runtime.errors import SourceError
from cmsn_runtime.remote_files import remote_file_system

# Of what FFmpeg plays, what a folder of videos may hold; a file that is named is taken whatever its name.
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
)
_LIST = "@"


def addresses_of(sources: Iterable[str]) -> list[str]:
    """Every video of the sources once, in their order; folders with all below them, by name.

    A source is a file, a folder, a glob (also with **), a URL such as s3://bucket/folder/ or s3://bucket/*.mp4, or
    @LIST, a file with one of these per line. Raises SourceError where one of them holds no video.
    """
    return list(dict.fromkeys(address for source in sources for address in _checked(source)))


def _checked(source: str) -> list[str]:
    found = list(_found(source))
    if not found:
        kinds = " ".join(VIDEO_SUFFIXES)
        raise SourceError(
            f"{source}: holds no video; a folder's videos end in one of {kinds}; name other files themselves"
        )
    return found


def _found(source: str) -> Iterator[str]:
    if source.startswith(_LIST):
        yield from addresses_of(_listed(Path(source[1:])))
    elif is_remote(source):
        yield from _remote(source)
    elif Path(source).is_dir():
        yield from _below(source)
    elif Path(source).exists():
        yield source
    elif glob.has_magic(source):
        yield from sorted(path for path in glob.iglob(source, recursive=True) if Path(path).is_file())  # noqa: PTH207 (absolute too)
    else:
        raise SourceError(f"{source}: there is no such file or folder; check the path")


def is_remote(address: str) -> bool:
    """Whether it is a URL; fsspec opens it, also http(s)."""
    return "://" in address


def _below(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (str(Path(parent, name)) for name in sorted(files) if _is_video(name))


def _remote(url: str) -> Iterator[str]:
    fs, path = remote_file_system(url)
    protocol = url.split("://", maxsplit=1)[0]
    if glob.has_magic(path):
        paths = sorted(fs.glob(path))
    elif _is_video(path):
        paths = [path]
    else:
        paths = sorted(name for name in fs.find(path) if _is_video(name))
    yield from (name if "://" in name else f"{protocol}://{name}" for name in paths)


def _listed(path: Path) -> list[str]:
    try:
        return list(lines_of(path.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path}: cannot be read as a list of videos ({error}); give a text file, one per line"
        ) from error


def _is_video(name: str) -> bool:
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES
