"""Reads the bytes of a manifest.json into a Manifest, or reports why it is refused."""

from __future__ import annotations

import json
import math
from typing import Any

from cmsn_runtime.checking import shown
from cmsn_runtime.errors import BundleError, SettingsError
from cmsn_runtime.manifest.contents import MANIFEST_FILE, Manifest
from cmsn_runtime.manifest.format1 import Format1
from cmsn_runtime.manifest.sealing import canonical, digest
from cmsn_runtime.structuring import structure
from cmsn_runtime.text import one_line

FORMAT_VERSION = 2
_KNOWN_VERSIONS = (1, FORMAT_VERSION)


def refusal(bundle: str, found: str, needed: str, action: str) -> BundleError:
    """The error for a bundle that is refused, in a uniform format."""
    return BundleError(f"{bundle}: {found}; {needed}; {action}")


def invalid(bundle: str, fault: str) -> BundleError:
    """The refusal of a manifest whose contents are at fault."""
    return refusal(
        bundle,
        f"{MANIFEST_FILE} is not valid ({one_line(fault)})",
        f"format version {FORMAT_VERSION}, written by `cmsn export`, is needed",
        "export the model again",
    )


def parse_manifest(raw: bytes, *, bundle: str) -> Manifest:
    """Read the bytes of a manifest, of this format or the one before. `bundle` is its name, for messages.

    Raises BundleError where they were altered since they were written, or hold a value that is not allowed.
    """
    content, spelling = _json(raw, bundle)
    version = content.pop("format_version", None)
    if type(version) is not int or version not in _KNOWN_VERSIONS:
        raise refusal(
            bundle,
            f"its format version is {shown(version)}",
            f"this runtime reads version {' and '.join(map(str, _KNOWN_VERSIONS))}",
            "update cmsn, or export the model again with this version",
        )
    announced = content.pop("digest", None)
    if raw != spelling or announced != digest({**content, "format_version": version}):
        raise refusal(
            bundle,
            f"{MANIFEST_FILE} was altered after the export",
            "its text must match its digest",
            "get a fresh copy of the bundle; to change a setting on site, see `cmsn run --set`",
        )
    try:
        return structure(content, Format1).converted() if version == 1 else structure(content, Manifest)
    except SettingsError as error:
        raise invalid(bundle, str(error)) from error


def _json(raw: bytes, bundle: str) -> tuple[dict[str, Any], bytes]:
    """The object in `raw`, and the only bytes that may represent it."""
    try:
        content = json.loads(raw.decode("utf-8"), parse_float=_finite, parse_constant=_finite)
        spelling = canonical(content)
    except (ValueError, RecursionError) as error:
        raise _no_object(bundle, f"is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _no_object(bundle, f"holds a {type(content).__name__}")
    return content, spelling


def _no_object(bundle: str, found: str) -> BundleError:
    return refusal(
        bundle, f"{MANIFEST_FILE} {one_line(found)}", "a JSON object is needed", "get a fresh copy of the bundle"
    )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value
