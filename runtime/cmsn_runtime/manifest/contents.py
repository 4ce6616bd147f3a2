"""The contents of a manifest, independent of the format it was read from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cmsn_runtime.checking import require, shown
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.quality import Quality
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.tracker import TrackerSettings

MANIFEST_FILE = "manifest.json"
GRAPH_NAMES = ("extractor", "stages", "evaluator")
FULL_PRECISION = "fp32"  # every bundle has it, and the others are measured against it
_USUAL_ON_GPUS = "fp16"

StateDtype = Literal["float32", "float16", "bfloat16", "int8"]
_BYTES: dict[StateDtype, int] = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}

_GRAPH_LIMIT = 2**31 - 1  # bytes; the limit of protobuf, and so of ONNX without external data
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PRECISION = re.compile(r"[a-z][a-z0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class GraphFile:
    """One ONNX graph of a bundle.

    file: its plain name inside the bundle's folder. bytes: its size. sha256: in hexadecimal.
    precision: the one its wide layers compute in: "fp32", "fp16" ...

    Like every part of a manifest, it raises SettingsError for a value outside what is allowed.
    """

    file: str
    bytes: int
    sha256: str
    precision: str = FULL_PRECISION

    def __post_init__(self) -> None:
        plain = _PLAIN_NAME.fullmatch(self.file) is not None and self.file != MANIFEST_FILE
        require(plain, "file", self.file, "a plain name of a file in the bundle's folder")
        require(1 <= self.bytes <= _GRAPH_LIMIT, "bytes", self.bytes, f"from 1 to {_GRAPH_LIMIT}")
        require(bool(_SHA256.fullmatch(self.sha256)), "sha256", self.sha256, "64 hexadecimal digits")
        require_precision("precision", self.precision)


@dataclass(frozen=True, slots=True)
class StateShape:
    """One tensor the extractor carries from chunk to chunk; shape without the batch."""

    name: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        require(min(self.shape, default=0) >= 1, "shape", self.shape, "at least 1 in each dimension")


@dataclass(frozen=True, slots=True)
class StateTensor:
    """A state in one precision: shape without the batch, and numpy's name of its element type."""

    name: str
    shape: tuple[int, ...]
    dtype: StateDtype = "float32"

    @property
    def nbytes(self) -> int:
        """Its size for one camera."""
        return math.prod(self.shape) * _BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """The extractor. width: of all layers, where 1.0 is the paper's. feature_channels: values per step feature.

    delay_steps: number of steps by which the newest feature lags behind the newest frame.
    receptive_field_frames: model frames that a feature depends on; a longer gap in a stream resets the state.
    """

    width: float
    feature_channels: int
    delay_steps: int
    receptive_field_frames: int

    def __post_init__(self) -> None:
        require(0 < self.width < math.inf, "width", self.width, "a finite number above 0")
        require(self.feature_channels >= 1, "feature_channels", self.feature_channels, "at least 1")
        require(self.delay_steps >= 0, "delay_steps", self.delay_steps, "at least 0")
        require(self.receptive_field_frames >= 1, "receptive_field_frames", self.receptive_field_frames, "at least 1")


@dataclass(frozen=True, slots=True)
class FeatureInput:
    """Input of a model that takes rows of numbers, not pictures. width: values per row. names: their descriptions."""

    width: int
    names: str

    def __post_init__(self) -> None:
        require(self.width >= 1, "width", self.width, "at least 1")


@dataclass(frozen=True, slots=True)
class Parity:
    """How closely the graphs match torch. errors: graph -> relative error against torch in float32, measured at export.

    tolerance: the largest error with which the export succeeds.
    """

    errors: dict[str, float]
    tolerance: float

    def __post_init__(self) -> None:
        require(0 <= self.tolerance < math.inf, "tolerance", self.tolerance, "a finite number, at least 0")
        _require_names("errors", self.errors, GRAPH_NAMES)
        for graph, error in self.errors.items():
            require(0 <= error <= self.tolerance, f"errors.{graph}", error, f"from 0 to {self.tolerance}")


@dataclass(frozen=True, slots=True)
class Variant:
    """The three networks in one precision, complete.

    graphs: `extractor`, `stages` and `evaluator`; one that gains nothing from this precision is another variant's file.
    parity: that of these three. state_dtypes: state -> numpy's name of its element type. quality: where it was
    measured, by `cmsn calibrate`.
    """

    graphs: dict[str, GraphFile]
    parity: Parity
    state_dtypes: dict[str, StateDtype]
    quality: Quality | None = None

    def __post_init__(self) -> None:
        _require_names("graphs", self.graphs, GRAPH_NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything a bundle declares about itself.

    created: ISO 8601 date and time of the export.
    preprocessing: that of pictures; None where the model takes feature rows, which `features` then describes.
    variants: precision ("fp32", and "fp16" ... where they were exported) -> the networks in it.
    training: origin of the weights, as free-form JSON.
    """

    name: str
    created: str
    network: NetworkFacts
    grid: TimeGrid
    preprocessing: Preprocessing | None
    features: FeatureInput | None = None
    proposals: ProposalSettings
    tracking: TrackerSettings
    states: tuple[StateShape, ...]
    variants: dict[str, Variant]
    training: dict[str, Any]

    def __post_init__(self) -> None:
        require(_is_date(self.created), "created", self.created, "an ISO 8601 date")
        names = [state.name for state in self.states]
        require(len(set(names)) == len(names), "states", names, "of different names")
        inputs = [name for name in ("preprocessing", "features") if getattr(self, name) is not None]
        require(len(inputs) == 1, "the input", " and ".join(inputs), "either preprocessing or features")
        if self.preprocessing is not None:
            require(self.preprocessing.scale > 0, "preprocessing.scale", self.preprocessing.scale, "above 0")
        require(FULL_PRECISION in self.variants, "variants", sorted(self.variants), f"at least {FULL_PRECISION}")
        for precision, variant in self.variants.items():
            _require_variant(f"variants.{precision}", precision, variant, names)
        files = [file.file for file in self.graph_files]
        require(len(set(files)) == len(files), "the files of variants", files, "one file for each name")

    def variant(self, precision: str) -> Variant:
        """The networks in one precision. Raises SettingsError, naming those there are."""
        found = self.variants.get(precision)
        if found is None:
            raise SettingsError(
                f"precision is {precision!r}; {self.name} has {', '.join(self.variants)}; choose one of them, or "
                "export the model again"
            )
        return found

    @property
    def gpu_precision(self) -> str:
        """The precision that GPUs use unless another is named: FP16 where the bundle has it."""
        return _USUAL_ON_GPUS if _USUAL_ON_GPUS in self.variants else FULL_PRECISION

    def state_tensors(self, precision: str) -> tuple[StateTensor, ...]:
        """The extractor's states in one precision. Raises SettingsError as `variant` does."""
        dtypes = self.variant(precision).state_dtypes
        return tuple(StateTensor(state.name, state.shape, dtypes[state.name]) for state in self.states)

    @property
    def graph_files(self) -> tuple[GraphFile, ...]:
        """Every graph file of the bundle once, in the order of the variants."""
        return tuple(dict.fromkeys(file for variant in self.variants.values() for file in variant.graphs.values()))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the extractor's input per moment: that of a picture (see picture_shape), or (width,) of a row."""
        if self.preprocessing is not None:
            return self.preprocessing.picture_shape
        return () if self.features is None else (self.features.width,)


def require_precision(field: str, name: str) -> None:
    """Raise FieldError unless the name can be that of a precision."""
    require(bool(_PRECISION.fullmatch(name)), field, name, 'a short name such as "fp16" or "int8"')


def _require_variant(path: str, precision: str, variant: Variant, states: Iterable[str]) -> None:
    require_precision("a name in variants", precision)
    for name, file in variant.graphs.items():
        full = precision != FULL_PRECISION or file.precision == FULL_PRECISION
        require(full, f"{path}.graphs.{name}.precision", file.precision, FULL_PRECISION)
    used = sorted({file.precision for file in variant.graphs.values()})
    require(precision in used, f"{path}.graphs", used, f"at least one {precision} graph")
    _require_names(f"{path}.state_dtypes", variant.state_dtypes, states)


def _require_names(field: str, found: Mapping[str, object], names: Iterable[str]) -> None:
    wanted = sorted(names)
    require(sorted(found) == wanted, field, sorted(found), f"exactly {shown(wanted)}")


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
