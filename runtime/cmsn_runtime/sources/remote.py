"""Videos on object stores (s3://, gs://, az:// ...), read in blocks through fsspec."""

from __future__ import annotations

from typing import Any

from cmsn_runtime.errors import SourceError
from cmsn_runtime.remote_files import remote_file_system
from cmsn_runtime.sources.addresses import redacted, scheme_of
from cmsn_runtime.sources.base import Source
from cmsn_runtime.sources.container import DAMAGED
from cmsn_runtime.sources.kinds import SourceKind
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.video import VideoSource

# What FFmpeg opens itself (http, rtsp, sftp ...) is not among them.
SCHEMES = frozenset(["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "hdfs", "webhdfs", "memory"])
_BLOCK = 1 << 20  # bytes; with larger ones more of a short video is fetched than it has


class RemoteFile:
    """A remote file as PyAV reads it; see DataReader. Raises SourceError, MissingExtraError."""

    advice = DAMAGED

    def __init__(self, url: str) -> None:
        self.name = redacted(url, url)
        self._failure: BaseException | None = None
        fs, path = remote_file_system(url)
        try:
            self._file: Any = fs.open(path, "rb", cache_type="readahead", block_size=_BLOCK)
        except Exception as error:  # each file system has errors of its own
            raise SourceError(f"{self.name}: cannot be opened ({type(error).__name__}: {error}); check it") from error

    def read(self, size: int) -> bytes:
        """`size` bytes at most; empty at the end, or where reading failed."""
        try:
            content: bytes = self._file.read(size)
        except BaseException as error:
            self._failure = error
            return b""
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """See io.IOBase."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """See io.IOBase."""
        return int(self._file.tell())

    def raise_failure(self) -> None:
        """Raise what ended a read, if anything did."""
        failure, self._failure = self._failure, None
        if isinstance(failure, Exception):
            raise SourceError(f"{self.name}: cannot be read ({type(failure).__name__}: {failure})") from failure
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Release it."""
        self._file.close()


def is_remote_video(address: str) -> bool:
    """Whether fsspec opens it."""
    return scheme_of(address) in SCHEMES


def _open(address: str, *, options: SourceOptions) -> Source:
    return VideoSource(RemoteFile(address), live=False, options=options)


KIND = SourceKind(claims=is_remote_video, open=_open)
