"""A camera's address from its table in a site file: URL and login, from the table, the environment or files."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.paths import expanded_path
from cmsn_runtime.secrets import Address, Secret, expanded_text, from_file
from cmsn_runtime.sites.tables import CameraTable
from cmsn_runtime.sources.addresses import is_camera, scheme_of
from cmsn_runtime.sources.pipelines import PREFIX

_RAW = "raw:"  # frames from a pipe (sources/raw.py)


def address_of(table: CameraTable, folder: Path) -> Secret:
    """The address with its login. folder: where relative paths begin. Raises SettingsError, without any value."""
    given = _only(table.url, table.url_file, "url", folder)
    if given is None or not given.reveal():
        raise SettingsError('it has no address: give url = "rtsp://..." or url_file = "PATH"')
    password = _only(table.password, table.password_file, "password", folder)
    if password is None and table.user is None:
        return _found(given, folder)
    if table.user is None:
        raise SettingsError("it has a password and no user: give both")
    return _with_login(given.reveal(), table.user, password)


def is_file(address: Secret) -> bool:
    """Whether it is a path, and neither a URL nor a device or a pipeline."""
    text = address.reveal()
    return not (scheme_of(text) or is_camera(text) or text == "-" or text.startswith((PREFIX, _RAW)))


def _only(value: Secret | None, file: str | None, name: str, folder: Path) -> Secret | None:
    """The one of a value and a file with it that is given."""
    if file is None:
        return value
    if value is not None:
        raise SettingsError(f"it has {name} and {name}_file: give only one of them")
    return from_file(expanded_path(file, folder))


def _found(address: Secret, folder: Path) -> Secret:
    return Address(str(folder / address.reveal())) if is_file(address) else address


def _with_login(url: str, user: str, password: Secret | None) -> Secret:
    """The login may hold any character, so it is percent-encoded. The user's name alone is no secret: it may be a word
    that names cameras too.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        raise SettingsError("user and password are for URLs, and url is none")
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        raise SettingsError("url has a login, and user is given: give only one of them")
    parts = [expanded_text(user), *([] if password is None else [password.reveal()])]
    login = ":".join(quote(part, safe="") for part in parts)
    return Address(f"{scheme}://{login}@{rest}")
