"""Writes a bundle's folder: it appears complete or not at all, and replaces only a bundle."""

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
    """Check, before minutes of work, whether a bundle can be written here; creates the folder's parents.

    Raises BundleError for a name other than NAME.cmsn, and where the path exists already (with `overwrite`:
    and is not a bundle); OutputError where it cannot be written.
    """
    if folder.suffix != ".cmsn":
        raise BundleError(f"{folder} is not a name of a bundle; it must end in .cmsn; give -o NAME.cmsn")
    with written_to(folder):
        target = Path(os.path.realpath(folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            _require_replaceable(folder, target, overwrite=overwrite)
            with _beside(target):
                pass
        else:  # only creating it shows whether this name is possible
            target.mkdir()
            target.rmdir()


def _require_replaceable(folder: Path, target: Path, *, overwrite: bool) -> None:
    bundle = target.is_dir() and ((target / MANIFEST_FILE).exists() or not any(target.iterdir()))
    if not bundle:
        raise BundleError(
            f"{folder} exists already and is not a bundle; --force does not replace it; choose another name"
        )
    if not overwrite:
        raise BundleError(f"{folder} exists already; choose another name, or pass --force to replace it")


def write_bundle(folder: Path, manifest: Manifest, variants: Mapping[str, ExportedVariant]) -> None:
    """Build the folder beside its destination and move it there in one step; the one it replaces is removed last.

    A link is followed, and the folder it refers to is replaced. Raises OutputError, and then changes nothing.
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
    """A temporary folder on the same disk. Its short name fits wherever the bundle's does."""
    return tempfile.TemporaryDirectory(dir=target.parent, prefix=".cmsn-")


def _exchange(built: Path, target: Path, old: Path) -> None:
    """Replace `target` with `built`; `target` moves to `old`, and back where this fails."""
    replaced = target.exists()
    if replaced:
        target.rename(old)
    try:
        built.rename(target)
    except BaseException:
        if replaced:
            old.rename(target)
        raise
