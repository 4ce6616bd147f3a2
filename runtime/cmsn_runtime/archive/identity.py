"""What a video is, whatever it is called: its content, or a remote one's URL, size and ETag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cmsn_runtime.archive.listing import is_remote
from cmsn_runtime.errors import SourceError
from cmsn_runtime.hashing import file_sha256
from cmsn_runtime.remote_files import remote_file_system

_KEY_DIGITS = 32
_VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "updated")  # as file systems call them


@dataclass(frozen=True, slots=True)
class Stamp:
    """What shows without reading it that a video is the one seen before.

    version: a file's time of change in nanoseconds, or a remote one's ETag (or time of change).
    """

    address: str
    size: int
    version: str


def stamp_of(address: str) -> Stamp:
    """Raises SourceError where there is no such video."""
    if is_remote(address):
        return _remote_stamp(address)
    try:
        found = Path(address).stat()
    except OSError as error:
        raise SourceError(f"{address}: cannot be read ({error.strerror}); check the path") from error
    return Stamp(str(Path(address).absolute()), found.st_size, str(found.st_mtime_ns))


def key_of(stamp: Stamp, setup: Mapping[str, object]) -> str:
    """The name of a video's result: the same for the same video, bundle and settings, wherever a file lies.

    setup: bundle and settings, in JSON's values. Reads a local file from begin to end. Raises SourceError.
    """
    video = f"{stamp.address} {stamp.size} {stamp.version}" if is_remote(stamp.address) else _content(stamp.address)
    text = f"{video} {json.dumps(setup, sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


def _content(path: str) -> str:
    try:
        return file_sha256(Path(path))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check who may read it") from error


def _remote_stamp(url: str) -> Stamp:
    fs, path = remote_file_system(url)
    try:
        found = fs.info(path)
    except Exception as error:  # each file system has errors of its own
        raise SourceError(f"{url}: cannot be reached ({type(error).__name__}: {error}); check it") from error
    version = next((found[name] for name in _VERSIONS if found.get(name)), "")
    return Stamp(url, int(found.get("size") or 0), str(version))
