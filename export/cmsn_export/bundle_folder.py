"""Where a bundle is written: a folder that is there whole or not at all, and replaces nothing but a bundle."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cmsn_export.variants import ExportedVariant
from cmsn_runtime.errors import BundleError
from cmsn_runtime.files import write_whole, written_to
from cmsn_runtime.manifest.contents import MANIFEST_FILE, Manifest
from cmsn_runtime.manifest.writing import write_manifest


def require_place(folder: Path, *, overwrite: bool) -> None:
    """Find out, before minutes of work, whether a bundle can be written here; makes the folder's parents.

    Raises BundleError for another name than NAME.cmsn, and where something is there already (with `overwrite`:
    something else than a bundle); OutputError where nothing can be written.
    """
    if folder.suffix != ".cmsn":
        raise BundleError(f"{folder}: a bundle's name ends in .cmsn; give -o NAME.cmsn")
    with written_to(folder):
        target = Path(os.path.realpath(folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            _require_replaceable(folder, target, overwrite=overwrite)
            with _beside(target):
                pass
        else:  # only making it tells whether this name can be
            target.mkdir()
            target.rmdir()


def _require_replaceable(folder: Path, target: Path, *, overwrite: bool) -> None:
    bundle = target.is_dir() and ((target / MANIFEST_FILE).exists() or not any(target.iterdir()))
    if not bundle:
        raise BundleError(
            f"{folder} exists already and is no bundle; --force would not replace it, choose another name"
        )
    if not overwrite:
        raise BundleError(f"{folder} exists already; choose another name, or pass --force to replace it")


def write_bundle(folder: Path, manifest: Manifest, variants: Mapping[str, ExportedVariant]) -> None:
    """Build the folder beside its place and move it there in one step; what it replaces goes last.

    A link is followed, and the folder it leads to replaced. Raises OutputError, and leaves what was there.
    """
    files = {
        graph.file_name(name): graph.onnx for variant in variants.values() for name, graph in variant.graphs.items()
    }
    with written_to(folder):
        target = Path(os.path.realpath(folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target) as temporary:
            built = Path(temporary) / "new"
            built.mkdir()
            for name, content in files.items():
                write_whole(built / name, content)
            write_manifest(built, manifest)
            _exchange(built, target, Path(temporary) / "old")


def _beside(target: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the same disk, gone at the end. Its short name fits wherever the bundle's does."""
    return tempfile.TemporaryDirectory(dir=target.parent, prefix=".cmsn-")


def _exchange(built: Path, target: Path, old: Path) -> None:
    """Put `built` in the place of `target`, which goes to `old`, and comes back where that fails."""
    replaced = target.exists()
    if replaced:
        target.rename(old)
    try:
        built.rename(target)
    except BaseException:
        if replaced:
            old.rename(target)
        raise
