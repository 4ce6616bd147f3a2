"""The files of a bundle: a folder found by its path or name, each file checked before it is used."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cmsn_runtime.manifest.contents import MANIFEST_FILE, GraphFile, Manifest
from cmsn_runtime.manifest.reading import parse_manifest, refusal

_SHIPPED = Path(__file__).parent / "bundles"
DEMO_BUNDLE = _SHIPPED / "demo.cmsn"

_MANIFEST_LIMIT = 4 * 2**20  # bytes; a longer file is not a manifest, and is not read into memory
# Flags of os.open that some systems lack: do not follow a link, do not wait for a named pipe.
_OPEN_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def locate_bundle(path: str | Path | None) -> Path:
    """The folder of a bundle; the demo by default. A bundle on disk comes before a shipped one of that name, but
    a folder of that name which is not a bundle does not: `make demo` leaves one called demo.
    """
    if path is None:
        return DEMO_BUNDLE
    shipped = _SHIPPED / f"{path}.cmsn"
    plain = Path(path).name == str(path)
    with suppress(OSError):  # such as a name too long for a file system
        if plain and shipped.is_dir() and not (Path(path) / MANIFEST_FILE).exists():
            return shipped
    return Path(path)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle folder, without opening its graphs. Raises BundleError."""
    return parse_manifest(read_manifest_file(folder), bundle=name_of(folder))


def read_manifest_file(folder: Path) -> bytes:
    """The bytes of a manifest, unchecked. Raises BundleError where it is missing or too long to be one."""
    found = _why_no_folder(folder)
    if found is not None:
        raise refusal(
            name_of(folder),
            f"{folder} {found}",
            "a bundle is a folder NAME.cmsn with a manifest.json",
            "check the path, or write one with `cmsn export`",
        )
    with _opened(folder, MANIFEST_FILE) as file:
        raw = file.read(_MANIFEST_LIMIT + 1)
    if len(raw) > _MANIFEST_LIMIT:
        raise refusal(
            name_of(folder),
            f"{MANIFEST_FILE} is longer than {_MANIFEST_LIMIT} bytes",
            "a manifest is shorter than that",
            "get a fresh copy of the bundle",
        )
    return raw


def name_of(folder: Path) -> str:
    """The name of a bundle in messages; "." and "/" have no name of their own."""
    return folder.name or str(folder)


def read_graph(folder: Path, graph: GraphFile) -> bytes:
    """The bytes of one graph, once their size and hash match the manifest. Raises BundleError."""
    with _opened(folder, graph.file) as file:
        size = os.fstat(file.fileno()).st_size
        raw = file.read(graph.bytes + 1)
    if len(raw) != graph.bytes:
        raise refusal(
            name_of(folder),
            f"{graph.file} has {size} bytes",
            f"{graph.bytes} were exported",
            "it is incomplete or another file, get a fresh copy of the bundle",
        )
    found = hashlib.sha256(raw).hexdigest()
    if found != graph.sha256:
        raise refusal(
            name_of(folder),
            f"{graph.file} has the SHA-256 {found[:12]}...",
            f"{graph.sha256[:12]}... was exported",
            "it is damaged or another file, get a fresh copy of the bundle",
        )
    # ONNX names external files under this key and no other, and ONNX Runtime would look for them in the
    # working directory. No exported graph contains that word, so parsing is not needed.
    if b"location" in raw:
        raise refusal(
            name_of(folder),
            f"{graph.file} refers to data outside itself",
            "a graph must be a single file",
            "get the bundle from someone you trust, or export the model again",
        )
    return raw


def _why_no_folder(path: Path) -> str | None:
    """What a path is instead of a folder, in words; None for a folder."""
    try:
        if path.is_dir():
            return None
        return "is a file" if path.exists() else "does not exist"
    except OSError as error:  # too long, or in a folder without read permission
        return f"cannot be read ({error.strerror})"


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """The bytes of a regular file in the folder; links are not followed. `name` is plain."""
    try:
        with open(folder / name, "rb", opener=lambda path, flags: os.open(path, flags | _OPEN_FLAGS)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError("not a regular file")
            yield file
    except OSError as error:
        found = "is a link" if (folder / name).is_symlink() else f"cannot be read ({error.strerror or error})"
        raise refusal(
            name_of(folder),
            f"{name} {found}",
            "a bundle's files must lie in the folder itself",
            "get a fresh copy of the bundle",
        ) from error
