"""What is about to be written, compared with itself and with what is read, before anything is opened."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.files import STDOUT, descriptor_of, is_stream, require_writable, written_to
from cmsn_runtime.names import split_dataset
from cmsn_runtime.text import printable

_NUMBER = re.compile(r"%\d*d")


@dataclass(frozen=True, slots=True)
class Place:
    """A path and what it is for, such as "--json" or "the source"."""

    purpose: str
    path: Path

    def __str__(self) -> str:
        return f"{self.purpose} ({printable(str(self.path))})"


def require_separate(outputs: Sequence[Place], inputs: Sequence[Place]) -> None:
    """Find out that every output can be written, and that none would destroy an input or another output.

    Links, hard links, other spellings and descriptors (/dev/stdout, /dev/fd/N) are seen through; inputs may be folders,
    in which nothing may be written either. Changes nothing. Raises OutputError where a path cannot be written, and
    SettingsError that names both where two are one.
    """
    for output in outputs:
        with written_to(output.path):
            if not is_stream(output.path):
                require_writable(output.path)
    for one, other in combinations(outputs, 2):
        if _same(one.path, other.path):
            raise SettingsError(f"{one} and {other} are the same; give each output a path of its own")
    for output in outputs:
        for read in inputs:
            if _destroys(output.path, read.path):
                raise SettingsError(f"{output} would overwrite {read}; give it another path")


def source_places(addresses: Sequence[str]) -> list[Place]:
    """The files that sources are read from; an address on a network has none."""
    return [Place("the source", path) for address in addresses if (path := _local(address)) is not None]


def _local(address: str) -> Path | None:
    name, _ = split_dataset(address)
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    return None if "://" in name or "\0" in name else Path(name)


def _same(one: Path, other: Path) -> bool:
    ours, theirs = _identity(one), _identity(other)
    return ours is not None and ours == theirs


def _destroys(output: Path, read: Path) -> bool:
    if read == STDOUT:  # as an input, "-" is standard input
        read = Path("/dev/stdin")
    if _same(output, read):
        return True
    target = Path(os.path.realpath(output))
    if _is_pattern(read):
        return fnmatch.fnmatchcase(str(target), os.path.realpath(read.parent) + "/" + _NUMBER.sub("*", read.name))
    return read.is_dir() and target.is_relative_to(os.path.realpath(read)) and not is_stream(output)


def _is_pattern(path: Path) -> bool:
    """Whether a path stands for many: frames/*.png, frames/%05d.png."""
    return (glob.has_magic(path.name) or _NUMBER.search(path.name) is not None) and not path.exists()


def _identity(path: Path) -> tuple[object, ...] | None:
    """What two paths to the same file have in common; none for a device, which may be written to by many at once."""
    descriptor = 1 if path == STDOUT else descriptor_of(path)
    try:
        found = path.stat() if descriptor is None else os.fstat(descriptor)
    except OSError:
        return ("new", os.path.realpath(path))
    if descriptor is not None and not stat.S_ISREG(found.st_mode):
        return ("descriptor", descriptor)
    return None if stat.S_ISCHR(found.st_mode) else (found.st_dev, found.st_ino)
