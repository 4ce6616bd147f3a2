"""One `cmsn serve` for each state folder: two would mix their spools and files."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cmsn_runtime.errors import OutputError


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """A folder, created for this user alone if it is missing, that no other process uses at the same time.

    The lock ends with the process, however that ends. Raises OutputError.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be used for the site's state ({error.strerror}); CMSN_STATE_DIR names another folder"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(
                f"{folder}: another cmsn serve uses this folder; end it, or give this one another by CMSN_STATE_DIR"
            ) from error
        yield
    finally:
        os.close(descriptor)
