"""Output files: replaced atomically, links followed, devices and pipes written in place."""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import OutputError
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT = Path("-")

_DESCRIPTOR_FOLDERS = ("/proc/self/fd", "/proc/thread-self/fd", "/dev/fd")  # /dev/stdout links into them
_MOST_LINKS = 40  # the limit of Linux
# A file that a container mounts, or in a folder of another user: it can be written, not replaced.
_NOT_REPLACEABLE = (errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES, errno.EROFS)


class Replacement(Closing):
    """A file under construction, which replaces `path` at `commit`, or is removed at `close`.

    unfinished: write here. It exists from the start, so that a path that cannot be written is reported at once.

    A symbolic link is followed, and the file it leads to is replaced; permissions of an existing file are kept. Where
    `path` is a device, a pipe, /dev/fd/N or "-" for standard output, `commit` copies the content there.
    Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._in_place: BinaryIO | None = None
        if is_stream(path):
            self._in_place = open_stream(path)
            self.unfinished = _temporary()
            return
        self._target = Path(os.path.realpath(path))
        require_writable(path)
        try:
            self.unfinished = _beside(self._target)
        except OSError as error:
            if error.errno not in _NOT_REPLACEABLE or not self._target.exists():
                raise
            self.unfinished = _temporary()

    def commit(self) -> None:
        """Replace the file. The new file, and its name, are on disk when this returns."""
        if self._in_place is not None:
            _copy(self.unfinished, self._in_place)
            self._in_place.flush()
        else:
            put_in_place(self.unfinished, self._target)
        self.close()

    def close(self) -> None:
        """Remove what was not committed."""
        self.unfinished.unlink(missing_ok=True)
        if self._in_place is not None:
            with suppress(OSError):  # what was not written before this, `commit` has reported
                self._in_place.close()


def put_in_place(unfinished: Path, target: Path) -> None:
    """Replace `target`, which is not a link, by a file of its folder: complete, and on the disk when this returns.

    Raises OSError.
    """
    _synchronise(unfinished)
    try:
        os.replace(unfinished, target)
    except OSError as error:
        if error.errno not in _NOT_REPLACEABLE or not target.exists():
            raise
        with target.open("wb") as file:
            _copy(unfinished, file)
        _synchronise(target)
    with suppress(OSError):  # some network file systems cannot synchronise a folder
        _synchronise(target.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write to the path this gives; it takes the place of `path` if all went well (see Replacement).

    Raises OutputError.
    """
    with written_to(path), Replacement(path) as replacement:
        yield replacement.unfinished
        replacement.commit()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically. Raises OutputError."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def written_to(path: Path | str) -> Iterator[None]:
    """Turn a failed write into an OutputError. A broken pipe passes: the reader exited, which is not a failure."""
    name = "standard output" if path == STDOUT else printable(os.fspath(path))
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written ({error.strerror or error}); "
            "give a path in a folder that exists, may be written to and has room"
        ) from error


def require_writable(path: Path) -> None:
    """Find out whether a file could be written, without changing what is there.

    Raises OSError; IsADirectoryError for a folder.
    """
    _require_valid(path)
    target = os.path.realpath(path)
    try:
        mode = Path(target).stat().st_mode
    except FileNotFoundError:
        # Only creating it shows whether its name is too long or has characters that this file system cannot store.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        Path(target).unlink()
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def is_stream(path: Path) -> bool:
    """Whether a path is a stream rather than a regular file: a device, a pipe, /dev/fd/N, "-".

    Raises OSError where no file can have this name.
    """
    _require_valid(path)
    if path == STDOUT or descriptor_of(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def open_stream(path: Path) -> BinaryIO:
    """Open what `is_stream` for writing, as it is: a file behind /dev/fd/N is neither emptied nor rewound."""
    descriptor = descriptor_of(path)
    if descriptor is not None:
        return os.fdopen(os.dup(descriptor), "wb")
    if path == STDOUT:
        return _standard_output()
    return cast("BinaryIO", path.open("wb"))


def descriptor_of(path: Path) -> int | None:
    """The number N of /dev/fd/N, /dev/stdout or a link to one of them; None for anything else."""
    folders = {os.path.realpath(folder) for folder in _DESCRIPTOR_FOLDERS}
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in folders and path.name.isdecimal():
            return int(path.name)
        try:
            path = Path(folder, path.readlink())
        except OSError:  # not a link
            return None
    return None


def _require_valid(path: Path) -> None:
    try:
        valid = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise OSError(errno.EINVAL, "no file can have this name")


def _standard_output() -> BinaryIO:
    """Standard output, which closing leaves open. Raises OSError where the shell closed it (`>&-`)."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")
    sys.stdout.flush()
    try:
        return os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    except io.UnsupportedOperation:  # a notebook's, or a test's: not a file
        return io.BufferedWriter(_Borrowed(sys.stdout.buffer))


class _Borrowed(io.RawIOBase):
    """A binary stream with another owner, which stays open."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        written = self._stream.write(data)
        self._stream.flush()
        return written


def _beside(target: Path) -> Path:
    """A new, empty file in the folder of `target`, with its permissions. Its short name fits wherever that one does."""
    unfinished = target.parent / f".cmsn-{secrets.token_hex(6)}.partial"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with suppress(FileNotFoundError):
            existing = target.stat()
            with suppress(PermissionError):
                os.fchown(descriptor, existing.st_uid, existing.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(existing.st_mode))
    finally:
        os.close(descriptor)
    return unfinished


def _temporary() -> Path:
    descriptor, name = tempfile.mkstemp(prefix="cmsn-", suffix=".partial")
    os.close(descriptor)
    return Path(name)


def _copy(source: Path, target: BinaryIO) -> None:
    with source.open("rb") as file:
        shutil.copyfileobj(file, target)


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
