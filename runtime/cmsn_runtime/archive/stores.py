"""Where an archive's results lie: a folder, or whatever fsspec opens (s3://, gs://, az:// ...)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from cmsn_runtime.errors import OutputError
from cmsn_runtime.files import write_whole, written_to
from cmsn_runtime.remote_files import remote_file_system


class Store(Protocol):
    """Small files by names such as "results/KEY.json". Every method raises OutputError where the place fails."""

    name: str

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, without it; none where there is no such folder."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content; None where there is no such file."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole, or not at all."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless it exists; false where it does. Of several that try, one succeeds."""
        ...

    def touch(self, name: str, content: bytes) -> None:
        """Renew a file that this process created."""
        ...

    def age(self, name: str) -> float | None:
        """Seconds since a file was written; None where it is gone."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...


def open_store(place: str) -> Store:
    """A folder's path, or a URL. Raises MissingExtraError without fsspec or what it needs for this kind of URL."""
    return RemoteStore(place) if "://" in place else FolderStore(Path(place))


class FolderStore:
    """A folder, which is made."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def names(self, folder: str) -> list[str]:
        """See Store. Files being written begin with a dot, and are none."""
        with written_to(self._folder), suppress(FileNotFoundError):
            return [entry.name for entry in os.scandir(self._folder / folder) if not entry.name.startswith(".")]
        return []

    def read(self, name: str) -> bytes | None:
        """See Store."""
        with written_to(self._folder / name), suppress(FileNotFoundError):
            return (self._folder / name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        """See Store."""
        self._made(name)
        write_whole(self._folder / name, content)

    def create(self, name: str, content: bytes) -> bool:
        """See Store."""
        path = self._made(name)
        with written_to(path):
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                return False
        return True

    def touch(self, name: str, content: bytes) -> None:
        """See Store."""
        with written_to(self._folder / name), suppress(FileNotFoundError):
            os.utime(self._folder / name)

    def age(self, name: str) -> float | None:
        """See Store: by the file system's clock, which all machines share."""
        with written_to(self._folder / name), suppress(FileNotFoundError):
            return self._now() - (self._folder / name).stat().st_mtime
        return None

    def remove(self, name: str) -> None:
        """See Store."""
        with written_to(self._folder / name):
            (self._folder / name).unlink(missing_ok=True)

    def _made(self, name: str) -> Path:
        path = self._folder / name
        with written_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _now(self) -> float:
        """The clock that stamps files here: a server's may differ from this machine's."""
        probe = self._folder / f".clock.{os.getpid()}"
        probe.touch()
        os.utime(probe)
        now = probe.stat().st_mtime
        probe.unlink(missing_ok=True)
        return now


class RemoteStore:
    """A URL that fsspec opens."""

    def __init__(self, url: str) -> None:
        self.name = url
        self._fs, self._root = remote_file_system(url)

    def names(self, folder: str) -> list[str]:
        """See Store."""
        self._fs.invalidate_cache()
        with _reached(self.name):
            try:
                found: list[dict[str, Any]] = self._fs.ls(f"{self._root}/{folder}", detail=True)
            except FileNotFoundError:
                return []
        return [str(item["name"]).rsplit("/", 1)[-1] for item in found if item["type"] == "file"]

    def read(self, name: str) -> bytes | None:
        """See Store."""
        with _reached(self.name):
            try:
                content: bytes = self._fs.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """See Store: object stores write whole objects only."""
        with _reached(self.name):
            self._fs.pipe_file(f"{self._root}/{name}", content)

    def create(self, name: str, content: bytes) -> bool:
        """See Store."""
        with _reached(self.name):
            try:
                self._fs.pipe_file(f"{self._root}/{name}", content, mode="create")
            except FileExistsError:
                return False
        return True

    def touch(self, name: str, content: bytes) -> None:
        """See Store."""
        self.write(name, content)

    def age(self, name: str) -> float | None:
        """See Store."""
        self._fs.invalidate_cache()
        with _reached(self.name):
            try:
                changed: float = self._fs.modified(f"{self._root}/{name}").timestamp()
            except FileNotFoundError:
                return None
        return max(0.0, time.time() - changed)

    def remove(self, name: str) -> None:
        """See Store."""
        with _reached(self.name), suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{name}")


@contextmanager
def _reached(name: str) -> Iterator[None]:
    """Turn a failed request into an OutputError; what is there, or is not, is no failure."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except Exception as error:  # each file system has errors of its own
        message = f"{name}: cannot be reached ({type(error).__name__}: {error}); check it, and access to it"
        raise OutputError(message) from error


def lines_of(content: bytes) -> Iterator[str]:
    """The lines of a list of videos that are not empty or comments."""
    for line in content.decode("utf-8-sig").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()
