"""manifest.json: everything a bundle says about itself."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import dacite

from cmsn_runtime.errors import BundleError, SettingsError
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.tracker import TrackerSettings

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 1
GRAPH_NAMES = ("extractor", "stages", "evaluator")

_GRAPH_LIMIT = 2**31 - 1  # bytes; protobuf, and so ONNX without external data, ends there
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Bounded digits: Fraction("1e999999999") would compute for hours.
_RATE = re.compile(r"[0-9]{1,9}(/[1-9][0-9]{0,8})?")


@dataclass(frozen=True, slots=True)
class GraphFile:
    """One ONNX graph: its plain file name inside the bundle, its size in bytes and its SHA-256 in hexadecimal.

    Like every part of a manifest, it raises SettingsError for what cannot be.
    """

    file: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        plain = _PLAIN_NAME.fullmatch(self.file) is not None and self.file != MANIFEST_FILE
        _require(plain, "a graph's file", self.file, "a plain name of a file in the bundle's folder")
        _require(1 <= self.bytes <= _GRAPH_LIMIT, f"bytes of {self.file}", self.bytes, f"from 1 to {_GRAPH_LIMIT}")
        _require(bool(_SHA256.fullmatch(self.sha256)), f"sha256 of {self.file}", self.sha256, "64 hexadecimal digits")


@dataclass(frozen=True, slots=True)
class StateShape:
    """One float32 tensor the extractor carries from chunk to chunk; shape without the batch."""

    name: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        _require(
            min(self.shape, default=0) >= 1, f"the shape of {self.name} in states", self.shape, "at least 1 each way"
        )


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """width: of all layers, 1.0 is the paper's. feature_channels: of a step feature.

    delay_steps: how many steps the newest feature is behind the newest frame.
    receptive_field_frames: model frames a feature depends on; a longer gap in a stream resets the state.
    """

    width: float
    feature_channels: int
    delay_steps: int
    receptive_field_frames: int

    def __post_init__(self) -> None:
        _require(0 < self.width < math.inf, "width", self.width, "a finite number above 0")
        _require(self.feature_channels >= 1, "feature_channels", self.feature_channels, "at least 1")
        _require(self.delay_steps >= 0, "delay_steps", self.delay_steps, "at least 0")
        _require(self.receptive_field_frames >= 1, "receptive_field_frames", self.receptive_field_frames, "at least 1")


@dataclass(frozen=True, slots=True)
class FeatureInput:
    """A model that takes rows of numbers, not pictures. width: values a row. names: what they are, in words."""

    width: int
    names: str

    def __post_init__(self) -> None:
        _require(self.width >= 1, "width of features", self.width, "at least 1")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of manifest.json.

    created: ISO 8601 date and time of the export.
    preprocessing: of pictures; none where the model takes feature rows, which `features` describes then.
    graphs: exactly `extractor`, `stages` and `evaluator`.
    parity: graph -> relative error against torch, measured at export, and `tolerance`, above which it was refused.
    training: where the weights come from, free JSON.
    half_graphs: those of the graphs that are there a second time, typed FP16, for engines on a GPU.
    half_parity: their relative error against torch in float32, and its `tolerance`; empty where there are none.
    """

    format_version: int
    name: str
    created: str
    network: NetworkFacts
    grid: TimeGrid
    preprocessing: Preprocessing | None
    proposals: ProposalSettings
    tracking: TrackerSettings
    graphs: dict[str, GraphFile]
    states: tuple[StateShape, ...]
    parity: dict[str, float]
    training: dict[str, Any]
    licence: str | None = None
    notes: str | None = None
    features: FeatureInput | None = None
    half_graphs: dict[str, GraphFile] = field(default_factory=dict)
    half_parity: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(_is_date(self.created), "created", self.created, "an ISO 8601 date")
        _require(set(self.graphs) == set(GRAPH_NAMES), "graphs", sorted(self.graphs), ", ".join(GRAPH_NAMES))
        names = [state.name for state in self.states]
        _require(len(set(names)) == len(names), "states", names, "of different names")
        halves = set(self.half_graphs)
        _require(halves <= set(GRAPH_NAMES), "half_graphs", sorted(halves), "some of " + ", ".join(GRAPH_NAMES))
        _require_parity("parity", self.parity, set(GRAPH_NAMES))
        _require_parity("half_parity", self.half_parity, halves)
        inputs = [name for name in ("preprocessing", "features") if getattr(self, name) is not None]
        _require(len(inputs) == 1, "the input", " and ".join(inputs), "either preprocessing or features")
        if self.preprocessing is not None:
            _require(self.preprocessing.scale > 0, "scale", self.preprocessing.scale, "above 0")

    @property
    def engine_graphs(self) -> dict[str, GraphFile]:
        """The three graphs as an engine on a GPU wants them: FP16 where there is such a one."""
        return {**self.graphs, **self.half_graphs}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """What the extractor takes at each moment: (height, width, 3) of a picture, or (width,) of a feature row."""
        if self.preprocessing is not None:
            return (*self.preprocessing.crop, 3)
        return () if self.features is None else (self.features.width,)


def refusal(bundle: str, found: str, needed: str, action: str) -> BundleError:
    """The error of a bundle that is refused; all of them read alike."""
    return BundleError(f"{bundle}: {found}; {needed}; {action}")


def parse_manifest(raw: bytes, *, bundle: str) -> Manifest:
    """Read the bytes of a manifest. `bundle` is its name, for messages.

    Raises BundleError where they were altered since they were written, or say something that cannot be.
    """
    content, canonical = _json(raw, bundle)
    version = content.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise refusal(
            bundle,
            f"its format version is {version!r}",
            f"this runtime reads version {FORMAT_VERSION}",
            "update cmsn, or export the model again with this version",
        )
    digest = content.pop("digest", None)
    if raw != canonical or digest != _digest(content):
        raise refusal(
            bundle,
            f"{MANIFEST_FILE} was altered after the export",
            "its text must match its digest",
            "get a fresh copy of the bundle",
        )
    try:
        return dacite.from_dict(Manifest, _with_tuples(content), dacite.Config(strict=True, type_hooks=_HOOKS))
    except (dacite.DaciteError, SettingsError) as error:
        raise _invalid(bundle, str(error)) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json into a folder, with its digest, atomically.

    Raises BundleError, and writes nothing, where `parse_manifest` would not take it back.
    """
    try:
        content = json.loads(json.dumps(asdict(manifest), default=_as_text, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _invalid(folder.name, f"not JSON: {error}") from error
    raw = _canonical({**content, "digest": _digest(content)})
    parse_manifest(raw, bundle=folder.name)
    unfinished = folder / f".{MANIFEST_FILE}.partial"
    unfinished.write_bytes(raw)
    os.replace(unfinished, folder / MANIFEST_FILE)


def _json(raw: bytes, bundle: str) -> tuple[dict[str, Any], bytes]:
    """The object in `raw`, and the only bytes that are allowed to stand for it."""
    try:
        content = json.loads(raw.decode("utf-8"), parse_float=_finite, parse_constant=_finite)
        canonical = _canonical(content)
    except (ValueError, RecursionError) as error:
        raise refusal(
            bundle,
            f"{MANIFEST_FILE} is not JSON ({error})",
            "a JSON object is needed",
            "get a fresh copy of the bundle",
        ) from error
    if not isinstance(content, dict):
        raise refusal(
            bundle,
            f"{MANIFEST_FILE} holds a {type(content).__name__}",
            "a JSON object is needed",
            "get a fresh copy of the bundle",
        )
    return content, canonical


def _canonical(content: object) -> bytes:
    # surrogatepass: a lone surrogate, which JSON can spell, shall end in a mismatch and not in an exception
    return (json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def _invalid(bundle: str, fault: str) -> BundleError:
    return refusal(
        bundle,
        f"{MANIFEST_FILE} is not valid ({fault})",
        f"format version {FORMAT_VERSION} as `cmsn export` writes it is needed",
        "export the model again",
    )


def _as_text(value: object) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{value!r} has no place in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _with_tuples(content: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as tuples, which is what a manifest has, but for `training`, which is free."""

    def tuples(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: tuples(item) for key, item in value.items()}
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    return {key: value if key == "training" else tuples(value) for key, value in content.items()}


# A hook gives back text for what it cannot take: dacite then finds text where a number belongs, and names the field.


def _integer(value: Any) -> int | str:
    return value if type(value) is int else repr(value)  # dacite would take true for 1


def _number(value: Any) -> float | str:
    return float(value) if type(value) in (int, float) else repr(value)


def _rate(value: Any) -> Fraction | str:
    return Fraction(value) if isinstance(value, str) and _RATE.fullmatch(value) else repr(value)


_HOOKS: dict[type[Any], Callable[[Any], Any]] = {int: _integer, float: _number, Fraction: _rate}


def _require_parity(name: str, parity: dict[str, float], graphs: set[str]) -> None:
    """One error a graph, none above the tolerance; nothing where there are no graphs."""
    measured = {*graphs, "tolerance"} if graphs else set()
    _require(set(parity) == measured, name, sorted(parity), ", ".join(sorted(measured)) or "empty")
    tolerance = parity.get("tolerance", 0.0)
    for graph, error in parity.items():
        _require(0 <= error <= tolerance < math.inf, f"{name} of {graph}", error, f"from 0 to {tolerance}")


def _require(valid: bool, name: str, value: object, allowed: str) -> None:
    if not valid:
        raise SettingsError(f"{name} is {value!r}, it must be {allowed}")


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
