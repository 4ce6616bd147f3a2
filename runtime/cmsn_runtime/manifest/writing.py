"""Writes a Manifest to manifest.json in the newest format."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.files import write_whole
from cmsn_runtime.manifest.contents import MANIFEST_FILE, Manifest
from cmsn_runtime.manifest.reading import FORMAT_VERSION, invalid, parse_manifest
from cmsn_runtime.manifest.sealing import canonical, digest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json into a folder, with its digest, atomically.

    Raises BundleError, and writes nothing, where `parse_manifest` would refuse it; OutputError where the folder
    cannot be written.
    """
    try:
        content = json.loads(json.dumps(asdict(manifest), default=_as_text, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise invalid(folder.name, f"not JSON: {error}") from error
    for variant in content["variants"].values():  # cmsn knew no such field before: without figures it can still read it
        if variant["quality"] is None:
            del variant["quality"]
    if content["preprocessing"] is not None and content["preprocessing"]["flow"] is None:  # likewise
        del content["preprocessing"]["flow"]
    content["format_version"] = FORMAT_VERSION
    raw = canonical({**content, "digest": digest(content)})
    parse_manifest(raw, bundle=folder.name)
    write_whole(folder / MANIFEST_FILE, raw)


def _as_text(value: object) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{value!r} cannot be written as JSON")
