"""What the settings of receivers on the network have in common."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from cmsn_runtime.errors import OutputError, SettingsError
from cmsn_runtime.paths import expanded_path
from cmsn_runtime.secrets import Secret, expanded, from_file
from cmsn_runtime.sinks.delivery.spool import Spool, open_spool
from cmsn_runtime.sinks.kinds import SinkContext
from cmsn_runtime.state import STATE_VARIABLE, state_folder
from cmsn_runtime.text import file_name

LIVE_DRAIN_SECONDS = 0.4  # at the end of a live run, for what waits: the whole program ends within 2
FILE_DRAIN_SECONDS = 30.0  # where nobody waits for that


def drain_seconds(context: SinkContext) -> float:
    """How long an output may take to end."""
    return LIVE_DRAIN_SECONDS if context.live else FILE_DRAIN_SECONDS


def given_secret(text: Secret | None, file: str, context: SinkContext, *, field: str) -> Secret | None:
    """The secret that a table gives itself or as the path of a file. Raises SettingsError."""
    if text is not None and file:
        raise SettingsError(f"{field} and {field}_file are both given; give one of them")
    return from_file(expanded_path(file, context.site_folder)) if file else text


def secret_of_environment(name: str) -> Secret | None:
    """For a command line: the variable NAME, or the content of the file that NAME_FILE names. Raises SettingsError."""
    if file := os.environ.get(f"{name}_FILE"):
        return from_file(Path(file))
    return expanded(f"${{{name}}}") if name in os.environ else None


def tls_context(ca: str, certificate: str, key: str, context: SinkContext) -> ssl.SSLContext:
    """Checks the server's certificate against `ca`, or those of the system. Raises SettingsError."""
    paths = {"ca": ca, "certificate": certificate, "key": key}
    found = {name: expanded_path(path, context.site_folder) if path else None for name, path in paths.items()}
    for name, path in found.items():
        if path is not None and not os.access(path, os.R_OK):
            raise SettingsError(f"{name} is {str(path)!r}, which cannot be read; give the path of a PEM file")
    try:
        tls = ssl.create_default_context(cafile=found["ca"])
        if found["certificate"] is not None:
            # With a password of its own, OpenSSL does not ask for one at the terminal.
            tls.load_cert_chain(found["certificate"], found["key"], password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"the TLS files ({', '.join(name for name in paths if paths[name])}) cannot be used "
            f"({getattr(error, 'reason', None) or error}); give PEM files, and a key without a password"
        ) from None
    return tls


def spool_of(kind: str, receiver: str, megabytes: float, context: SinkContext) -> Spool:
    """The spool of an output. receiver: names it on the command line, where it has no name; without secrets.

    Raises OutputError.
    """
    if context.name:
        folder, stem = context.folder / "spool", file_name(context.name, before=f"{kind}-", most_bytes=200)
    else:
        folder, stem = state_folder(context.site) / "spool", file_name(receiver, before=f"{kind}-", most_bytes=200)
    try:
        return open_spool(folder, stem, most_bytes=int(megabytes * 2**20), report=context.report)
    except Exception as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{folder}: the spool of this output cannot be opened ({reason}); its folder must be writable and have "
            f"room, and {STATE_VARIABLE} names another one"
        ) from error
