"""Reads a site file strictly: everything in it is known, and a message names the place at fault and shows no secret."""

from __future__ import annotations

import re
import stat
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.errors import SettingsError, SourceWarning
from cmsn_runtime.live.settings import CameraSettings
from cmsn_runtime.serving.settings import WebSettings
from cmsn_runtime.site import table_settings
from cmsn_runtime.sites.addresses import address_of, is_file
from cmsn_runtime.sites.names import host_name, require_names
from cmsn_runtime.sites.places import within
from cmsn_runtime.sites.tables import CameraTable, Site, SiteTables
from cmsn_runtime.sources.addresses import secret_parts
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.state import state_folder
from cmsn_runtime.structuring import structure
from cmsn_runtime.toml_files import read_toml

_ADDRESS = re.compile(r"[a-z+]{3,}:/", re.IGNORECASE)  # a Path has only one slash of two
_SECRET_KEY = re.compile(r"pass|pwd|token|secret|key", re.IGNORECASE)


def read_site(path: Path) -> Site:
    """The content of a site file. Raises SettingsError; a SourceWarning reports passwords that others can read."""
    if _ADDRESS.match(str(path)):  # which may hold a password
        raise SettingsError("this is the address of a camera; give a site file, or watch one camera by: cmsn run URL")
    content = read_toml(path)
    folder = path.parent.absolute()
    with within(f"{path}:"):
        tables = structure(content, SiteTables, private=True)
        name = host_name() if tables.site.name is None else tables.site.name
        require_names([name], "the site")
        require_names(tables.cameras, "a camera")
        require_names(tables.outputs, "an output")
        structure(tables.capture, CaptureSettings, path="capture", private=True)
        settings = table_settings({"proposals": tables.proposals, "tracking": tables.tracking})
        cameras = {each: _camera(each, table, tables, settings, folder) for each, table in tables.cameras.items()}
        web = None if tables.web is None else structure(tables.web, WebSettings, path="web", private=True)
    if _readable_by_others(path) and _holds_secrets(content):
        warnings.warn(f"{path}: holds passwords, and all users can read it: chmod o-r", SourceWarning, stacklevel=2)
    return Site(
        path=path,
        name=name,
        state=state_folder(name),
        model=tables.site,
        scheduler=tables.scheduler,
        settings=settings,
        cameras={each: camera for each, camera in cameras.items() if camera is not None},
        disabled=tuple(each for each, camera in cameras.items() if camera is None),
        outputs={each: {"kind": each, **table} for each, table in tables.outputs.items()},
        web=web,
    )


def _camera(
    name: str, content: Mapping[str, object], site: SiteTables, settings: Mapping[str, object], folder: Path
) -> CameraSettings | None:
    """None where it is not enabled; its secrets need not exist then."""
    where = f"cameras.{name}"
    if content.get("enabled") is False:
        return None
    table = structure(content, CameraTable, path=where, private=True)
    with within(f"{where}:"):
        address = address_of(table, folder)
        demuxer = {option: value.reveal() for option, value in table.options.items()}
        options = SourceOptions(fps=table.fps, demuxer=demuxer, video_stream=table.video_stream)
        own = table_settings({"proposals": table.proposals, "tracking": table.tracking})
    capture = structure({**site.capture, **table.capture}, CaptureSettings, path=f"{where}.capture", private=True)
    with within(f"{where}:"):
        return CameraSettings(
            name=name,
            address=address,
            options=options,
            capture=capture,
            streaming={**settings, **own},
            paced=is_file(address) if table.paced is None else table.paced,
        )


def _readable_by_others(path: Path) -> bool:
    with suppress(OSError):
        return bool(path.stat().st_mode & stat.S_IROTH)
    return False


def _holds_secrets(value: object, key: str = "") -> bool:
    """Whether a password is written in the file itself."""
    if isinstance(value, Mapping):
        return any(_holds_secrets(item, name) for name, item in value.items())
    if not isinstance(value, str) or "${" in value or key.endswith("_file"):
        return False
    return _SECRET_KEY.search(key) is not None or any(secret_parts(value))
