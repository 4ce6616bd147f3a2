"""Engines on disk: each beside a sidecar with what it was built from, by which TensorRT and for which device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cmsn_runtime.backends.engine_cache import make_folder
from cmsn_runtime.backends.shapes import Shape
from cmsn_runtime.errors import BackendError, OutputError
from cmsn_runtime.files import require_writable, write_whole
from cmsn_runtime.structuring import structure

SIDECAR_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKey:
    """Everything that decides whether an engine may be used; an engine that differs in any of it is built again.

    onnx_sha256, precision: those of the graph. library: version of TensorRT, in full.
    gpu, compute_capability, multiprocessors: those of the device it was built on.
    shapes: input -> smallest, usual and largest shape; all equal where it is fixed.
    level: TensorRT's builder optimisation level, None for the default. workspace_bytes: memory that its kernels may
    use.
    version_compatible: whether later versions of TensorRT may load it.
    """

    onnx_sha256: str
    precision: str
    library: str
    gpu: str
    compute_capability: str
    multiprocessors: int
    shapes: dict[str, tuple[Shape, Shape, Shape]]
    level: int | None = None
    workspace_bytes: int | None = None
    version_compatible: bool = False

    def differences(self, other: EngineKey) -> list[str]:
        """A text "name: mine, not other's" for every item that differs."""
        pairs = ((item.name, getattr(self, item.name), getattr(other, item.name)) for item in fields(self))
        return [f"{name}: {mine}, not {theirs}" for name, mine, theirs in pairs if mine != theirs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """The JSON file beside an engine: its key, and the size and hash of the engine."""

    version: int
    bytes: int
    sha256: str
    key: EngineKey


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine in memory: the bytes that were checked are the bytes that run."""

    key: EngineKey
    plan: bytes


def engine_file(folder: Path, graph: str) -> Path:
    """Path of the engine of a graph."""
    return folder / f"{graph}.engine"


def sidecar_file(folder: Path, graph: str) -> Path:
    """Path of the sidecar of a graph's engine."""
    return folder / f"{graph}.engine.json"


def write_engine(folder: Path, graph: str, plan: bytes, key: EngineKey) -> None:
    """Write an engine and its sidecar, each atomically, the sidecar last: an interrupted build leaves no matching pair.

    Raises BackendError where the folder cannot be written.
    """
    sidecar = Sidecar(version=SIDECAR_VERSION, bytes=len(plan), sha256=hashlib.sha256(plan).hexdigest(), key=key)
    text = json.dumps(asdict(sidecar), indent=2, sort_keys=True) + "\n"
    with _writing(folder):
        make_folder(folder)
        write_whole(engine_file(folder, graph), plan)
        write_whole(sidecar_file(folder, graph), text.encode())


def ensure_writable(folder: Path) -> None:
    """Create the folder, and try to write there. Raises BackendError, as `write_engine` would later."""
    with _writing(folder):
        make_folder(folder)
        require_writable(folder / ".writable")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, OutputError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise BackendError(
            f"{folder} cannot be written ({reason}); engines need a folder that you can write; "
            "name one with --engines, for `cmsn build` and for `cmsn run`"
        ) from error


def read_sidecar(folder: Path, graph: str) -> Sidecar | None:
    """The sidecar of the engine of a graph; None where it is missing or unreadable."""
    try:
        return structure(json.loads(sidecar_file(folder, graph).read_text(encoding="utf-8")), Sidecar)
    except (OSError, ValueError, RecursionError):  # SettingsError is a ValueError
        return None


def read_engine(folder: Path, graph: str, *, command: str) -> Engine:
    """An engine whose bytes are those that were built. Raises BackendError otherwise.

    command: the command that builds it again, for messages.
    """
    path = engine_file(folder, graph)
    sidecar = read_sidecar(folder, graph)
    if not path.is_file() and sidecar is None:
        raise BackendError(
            f"{folder} holds no engine of the {graph} graph; it is built on the device itself: {command}"
        )
    if sidecar is None or sidecar.version != SIDECAR_VERSION:
        raise BackendError(
            f"{sidecar_file(folder, graph).name} is missing or not of version {SIDECAR_VERSION}; an engine is used "
            f"only with the file that describes it; build it again: {command}"
        )
    try:
        plan = path.read_bytes()
    except OSError as error:
        raise BackendError(f"{path} cannot be read ({error.strerror or error}); build it again: {command}") from error
    if len(plan) != sidecar.bytes or hashlib.sha256(plan).hexdigest() != sidecar.sha256:
        raise BackendError(
            f"{path.name} has {len(plan)} bytes that differ from the {sidecar.bytes} that were built; it is damaged or "
            f"another file, and running it would run code of unknown origin; build it again: {command}"
        )
    return Engine(sidecar.key, plan)
