"""What all parts of the simulated TensorRT share: its version, its settings, its enumerations, its logger."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from fake_cuda import Machine

_MEMBERS = {
    "TensorIOMode": "NONE INPUT OUTPUT",
    "MemoryPoolType": ("WORKSPACE DLA_MANAGED_SRAM DLA_LOCAL_DRAM DLA_GLOBAL_DRAM TACTIC_DRAM TACTIC_SHARED_MEMORY"),
    "TacticSource": "CUBLAS CUBLAS_LT CUDNN EDGE_MASK_CONVOLUTIONS JIT_CONVOLUTIONS",
    "LayerType": (
        "CONVOLUTION ACTIVATION POOLING SOFTMAX CONCATENATION ELEMENTWISE UNARY SHUFFLE REDUCE GATHER "
        "QUANTIZE DEQUANTIZE MATRIX_MULTIPLY CONSTANT CAST SLICE SHAPE LOOP_OUTPUT PLUGIN"
    ),
    "ErrorCode": (
        "SUCCESS INTERNAL_ERROR MEM_ALLOC_FAILED MODEL_DESERIALIZE_FAILED INVALID_VALUE INVALID_GRAPH INVALID_NODE "
        "UNSUPPORTED_GRAPH UNSUPPORTED_NODE"
    ),
}
_PRECISIONS = "FP16 INT8 OBEY_PRECISION_CONSTRAINTS PREFER_PRECISION_CONSTRAINTS "  # gone in 11
_FLAGS = (
    "DEBUG GPU_FALLBACK REFIT DISABLE_TIMING_CACHE TF32 SPARSE_WEIGHTS SAFETY_SCOPE DIRECT_IO "
    "VERSION_COMPATIBLE EXCLUDE_LEAN_RUNTIME "
)
_NEW_FLAGS = "ERROR_ON_TIMING_CACHE_MISS DISABLE_COMPILATION_CACHE STRIP_PLAN STRICT_NANS"  # since 10
_CREATION = {8: "EXPLICIT_BATCH", 10: "EXPLICIT_BATCH STRONGLY_TYPED", 11: "STRONGLY_TYPED"}


class Severity(enum.IntEnum):
    """Of a message."""

    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class ILogger:
    """To be subclassed; a subclass must call this __init__."""

    Severity = Severity
    INTERNAL_ERROR = Severity.INTERNAL_ERROR
    ERROR = Severity.ERROR
    WARNING = Severity.WARNING
    INFO = Severity.INFO
    VERBOSE = Severity.VERBOSE

    def __init__(self) -> None:
        self._made = True

    def log(self, severity: Any, msg: str) -> None:
        """To be overridden."""
        raise NotImplementedError


class Logger(ILogger):
    """TensorRT's own; what the real one prints is kept in `messages`."""

    def __init__(self, min_severity: Any = Severity.WARNING) -> None:
        super().__init__()
        self.min_severity = min_severity
        self.messages: list[tuple[Any, str]] = []

    def log(self, severity: Any, msg: str) -> None:
        """Keep it, if it is bad enough."""
        if severity <= self.min_severity:
            self.messages.append((severity, msg))


class IProgressMonitor:
    """To be subclassed; a subclass must call this __init__."""

    def __init__(self) -> None:
        self._made = True

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        """A part of the build has begun."""

    def step_complete(self, phase_name: str, step: int) -> bool:
        """A step of it is done; False stops the build."""
        return True

    def phase_finish(self, phase_name: str) -> None:
        """The phase has ended."""


class Library:
    """One version of TensorRT on one machine.

    lean: the runtime alone. refuses: ONNX operators that the parser does not know. build_error: with which builds fail.
    workspace_needed: bytes that building takes. context_bytes: device memory of an execution context.
    strict_graphs: no launch of a graph whose execution context was changed since, as NVIDIA's guide has it.
    check_uninitialised: engines must not read device memory that nothing wrote.
    capture_refused: engines do not run on a stream under capture, as some with loops do not.
    """

    def __init__(
        self,
        machine: Machine,
        version: str = "10.3.0.26",
        *,
        lean: bool = False,
        refuses: Iterable[str] = (),
        build_error: str | None = None,
        workspace_needed: int = 0,
        context_bytes: int = 4096,
        strict_graphs: bool = False,
        check_uninitialised: bool = True,
        capture_refused: bool = False,
    ) -> None:
        self.machine = machine
        self.version = version
        self.numbers = tuple(int(part) for part in version.split("."))
        self.lean = lean
        self.refuses = frozenset(refuses)
        self.build_error = build_error
        self.workspace_needed = workspace_needed
        self.context_bytes = context_bytes
        self.strict_graphs = strict_graphs
        self.check_uninitialised = check_uninitialised
        self.capture_refused = capture_refused
        self.builds = 0
        self.timed_layers = 0
        self.enumerations = self._enumerations()

    @property
    def major(self) -> int:
        """8, 10 or 11."""
        return self.numbers[0]

    @property
    def capability(self) -> str:
        """Of the machine's GPU."""
        return ".".join(map(str, self.machine.facts.capability))

    def dtype(self, name: str) -> Any:
        """TensorRT's member of a type."""
        return self.enumerations["DataType"][name]

    def error(self, logger: ILogger, message: str) -> None:
        """Log what went wrong."""
        logger.log(Severity.ERROR, message)

    def _enumerations(self) -> dict[str, Any]:
        old, newest = self.major < 10, self.major >= 11
        members = {
            **_MEMBERS,
            "BuilderFlag": ("" if newest else _PRECISIONS) + _FLAGS + ("" if old else _NEW_FLAGS),
            "NetworkDefinitionCreationFlag": _CREATION[self.major],
            "DataType": "FLOAT HALF INT8 INT32 BOOL UINT8 FP8" + ("" if old else " BF16 INT64 INT4"),
        }
        make: Any = enum.IntEnum
        return {name: make(name, names.split(), start=0) for name, names in members.items()}


def checked_logger(logger: object) -> ILogger:
    """A logger that was initialised; the bindings take nothing else."""
    if not isinstance(logger, ILogger):
        raise TypeError("incompatible constructor arguments: a tensorrt.ILogger is needed")
    if not getattr(logger, "_made", False):
        raise TypeError("ILogger.__init__() must be called when overriding __init__")
    return logger
