"""Building engines in the simulated TensorRT: network, parser, configuration, builder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from fake_trt_library import ILogger, IProgressMonitor, Library, checked_logger
from fake_trt_plan import (
    Dims,
    HostMemory,
    LayerFacts,
    Plan,
    Shape,
    TensorFacts,
    inferred_shapes,
    output_types,
    shape_of,
)

_TIMINGS = b"FAKE TIMING CACHE\n"
_CEILING_86 = 17  # the newest ONNX opset that the parser of 8.6 knows
_LAYERS = {
    "Conv": "CONVOLUTION",
    "MaxPool": "POOLING",
    "Softmax": "SOFTMAX",
    "Concat": "CONCATENATION",
    "Reshape": "SHUFFLE",
    "Transpose": "SHUFFLE",
    "ReduceMean": "REDUCE",
    "ReduceMax": "REDUCE",
    "Gather": "GATHER",
    "MatMul": "MATRIX_MULTIPLY",
    "Gemm": "MATRIX_MULTIPLY",
    "Constant": "CONSTANT",
    "Cast": "CAST",
    "Slice": "SLICE",
    "Shape": "SHAPE",
    "LSTM": "LOOP_OUTPUT",
    "Relu": "ACTIVATION",
    "Sigmoid": "ACTIVATION",
    "QuantizeLinear": "QUANTIZE",
    "DequantizeLinear": "DEQUANTIZE",
}


class ITensor:
    """A tensor of a network. Only an input's shape can be set."""

    __slots__ = ("_facts", "_library", "name")

    def __init__(self, library: Library, facts: TensorFacts) -> None:
        self._library = library
        self._facts = facts
        self.name = facts.name

    @property
    def shape(self) -> Dims:
        """-1 where it is dynamic."""
        return Dims(self._facts.shape)

    @shape.setter
    def shape(self, value: Sequence[int]) -> None:
        if not self._facts.is_input or len(value) != len(self._facts.shape):
            raise self._library.machine.violation(f"the shape {list(value)} for {self.name}, which cannot have it")
        self._facts.shape = tuple(value)

    @property
    def dtype(self) -> Any:
        """Its type."""
        return self._library.dtype(self._facts.dtype)

    def facts(self) -> TensorFacts:
        """As they go into the plan."""
        self._facts.name = self.name
        return self._facts


class ILayer:
    """A layer of a network: a node of the ONNX file."""

    __slots__ = ("_facts", "_library", "name")

    def __init__(self, library: Library, facts: LayerFacts) -> None:
        self._library = library
        self._facts = facts
        self.name = facts.name

    @property
    def type(self) -> Any:
        """Roughly."""
        return self._library.enumerations["LayerType"][_LAYERS.get(self._facts.kind, "ELEMENTWISE")]

    @property
    def num_outputs(self) -> int:
        """How many it has."""
        return len(self._facts.outputs)

    def get_output(self, index: int) -> ITensor:
        """With name and type; nothing is known of the shape."""
        name, dtype = self._facts.outputs[index]
        return ITensor(self._library, TensorFacts(name, name, False, dtype, dtype, ()))

    def facts(self) -> LayerFacts:
        """As they go into the plan."""
        return self._facts


class INetworkDefinition:
    """A network, filled by a parser."""

    __slots__ = ("explicit_batch", "inputs", "layers", "library", "name", "onnx", "outputs", "strongly_typed")

    def __init__(self, library: Library, flags: int) -> None:
        creation = library.enumerations["NetworkDefinitionCreationFlag"].__members__
        given = {name for name, flag in creation.items() if flags >> int(flag) & 1}
        if flags >> len(creation):
            raise library.machine.violation(f"create_network({flags:#b}): a flag that TensorRT {library.version} lacks")
        self.library = library
        self.name = "Unnamed Network"
        self.explicit_batch = "EXPLICIT_BATCH" in given or library.major >= 10
        self.strongly_typed = "STRONGLY_TYPED" in given or library.major >= 11
        self.inputs: list[ITensor] = []
        self.outputs: list[ITensor] = []
        self.layers: list[ILayer] = []
        self.onnx = b""

    @property
    def num_inputs(self) -> int:
        """How many there are."""
        return len(self.inputs)

    @property
    def num_layers(self) -> int:
        """How many there are."""
        return len(self.layers)

    def get_input(self, index: int) -> ITensor | None:
        """None beyond the last."""
        return self.inputs[index] if index < len(self.inputs) else None

    def get_layer(self, index: int) -> ILayer | None:
        """None beyond the last."""
        return self.layers[index] if index < len(self.layers) else None


class ParserError:
    """Why a file could not be parsed."""

    __slots__ = ("_code", "_desc", "_node")

    def __init__(self, code: Any, desc: str, node: int) -> None:
        self._code, self._desc, self._node = code, desc, node

    def code(self) -> Any:
        """Member of ErrorCode."""
        return self._code

    def desc(self) -> str:
        """In words."""
        return self._desc

    def node(self) -> int:
        """Number of the node, or -1."""
        return self._node


class OnnxParser:
    """Reads ONNX files into a network."""

    __slots__ = ("_errors", "_library", "_logger", "_network")

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        if not isinstance(network, INetworkDefinition):
            raise TypeError("incompatible constructor arguments: a tensorrt.INetworkDefinition is needed")
        self._network = network
        self._library = network.library
        self._logger = checked_logger(logger)
        self._errors: list[ParserError] = []

    @property
    def num_errors(self) -> int:
        """Of the last files."""
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        """One of them."""
        return self._errors[index]

    def parse(self, model: Any, path: str | None = None) -> bool:
        """Read a file; False where that fails."""
        import onnx

        content = bytes(model)
        try:
            proto = onnx.load_from_string(content)
            onnx.checker.check_model(proto)
        except Exception as error:  # whatever protobuf and onnx raise
            return self._refused("MODEL_DESERIALIZE_FAILED", f"failed to parse the ONNX model: {str(error)[:100]}")
        return self._no_batch() and self._opset(proto) and self._nodes(proto) and self._take(content, proto)

    def _no_batch(self) -> bool:
        return self._network.explicit_batch or self._refused("INVALID_VALUE", "the network needs EXPLICIT_BATCH")

    def _opset(self, proto: Any) -> bool:
        newest = max(item.version for item in proto.opset_import if item.domain in ("", "ai.onnx"))
        known = self._library.major >= 10 or newest <= _CEILING_86
        return known or self._refused("UNSUPPORTED_GRAPH", f"opset {newest} is newer than {_CEILING_86}")

    def _nodes(self, proto: Any) -> bool:
        for number, node in enumerate(proto.graph.node):
            if node.op_type in self._library.refuses:
                return self._refused("UNSUPPORTED_NODE", f"no importer registered for op {node.op_type}", number)
        return True

    def _take(self, content: bytes, proto: Any) -> bool:
        constants = {item.name for item in proto.graph.initializer}
        types = output_types(content)
        network, library = self._network, self._library
        network.onnx = content
        try:
            inputs = [self._tensor(value, types, is_input=True) for value in proto.graph.input]
            outputs = [self._tensor(value, types, is_input=False) for value in proto.graph.output]
        except KeyError as error:
            return self._refused("UNSUPPORTED_GRAPH", f"no type for {error}")
        network.inputs = [ITensor(library, facts) for facts in inputs if facts.source not in constants]
        network.outputs = [ITensor(library, facts) for facts in outputs]
        network.layers = [ILayer(library, facts) for facts in self._layers(proto, types)]
        return True

    def _tensor(self, value: Any, types: dict[str, str], *, is_input: bool) -> TensorFacts:
        source = types[value.name]
        return TensorFacts(value.name, value.name, is_input, self._mapped(source), source, shape_of(value))

    def _mapped(self, dtype: str) -> str:
        """8.6 has no INT64: it takes and gives INT32."""
        return "INT32" if dtype == "INT64" and self._library.major < 10 else dtype

    def _layers(self, proto: Any, types: dict[str, str]) -> Iterator[LayerFacts]:
        for number, node in enumerate(proto.graph.node):
            outputs = [(name, self._mapped(types.get(name, "FLOAT"))) for name in node.output if name]
            yield LayerFacts(node.name or f"{node.op_type}_{number}", node.op_type, list(node.input), outputs)

    def _refused(self, code: str, desc: str, node: int = -1) -> bool:
        self._errors.append(ParserError(self._library.enumerations["ErrorCode"][code], desc, node))
        self._library.error(self._logger, desc)
        return False


class IOptimizationProfile:
    """Which shapes the inputs may have."""

    __slots__ = ("shapes",)

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Shape, Shape, Shape]] = {}

    def set_shape(self, input: str, min: Sequence[int], opt: Sequence[int], max: Sequence[int]) -> None:
        """Smallest, usual and largest shape of an input."""
        ranks = {len(min), len(opt), len(max)}
        if len(ranks) > 1 or not all(0 <= a <= b <= c for a, b, c in zip(min, opt, max, strict=True)):
            raise ValueError(f"Shape provided for min/opt/max of {input} is inconsistent")
        self.shapes[input] = (tuple(min), tuple(opt), tuple(max))

    def __bool__(self) -> bool:
        return bool(self.shapes)


class ITimingCache:
    """How fast layers are, by their names."""

    __slots__ = ("capability", "layers", "version")

    def __init__(self, version: str, capability: str, layers: Sequence[str] = ()) -> None:
        self.version, self.capability, self.layers = version, capability, set(layers)

    def serialize(self) -> HostMemory:
        """As bytes."""
        facts = {"version": self.version, "capability": self.capability, "layers": sorted(self.layers)}
        return HostMemory(_TIMINGS + json.dumps(facts).encode())


class IBuilderConfig:
    """How to build."""

    __slots__ = (
        "_cache",
        "_library",
        "_logger",
        "_monitor",
        "builder_optimization_level",
        "flags",
        "pools",
        "profiles",
        "tactic_sources",
    )

    def __init__(self, library: Library, logger: ILogger) -> None:
        self._library = library
        self._logger = logger
        self._cache: ITimingCache | None = None
        self._monitor: IProgressMonitor | None = None
        self.builder_optimization_level = 3
        self.flags = 0
        self.pools: dict[str, int] = {}
        self.profiles: list[IOptimizationProfile] = []
        self.tactic_sources = (1 << len(library.enumerations["TacticSource"])) - 1

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        """How much memory kernels may use."""
        self.pools[self._member("MemoryPoolType", pool)] = pool_size

    def set_tactic_sources(self, tactic_sources: int) -> bool:
        """Libraries whose kernels are tried: bits of TacticSource."""
        self.tactic_sources = tactic_sources
        return True

    def set_flag(self, flag: Any) -> None:
        """Set a BuilderFlag."""
        self._member("BuilderFlag", flag)
        self.flags |= 1 << int(flag)

    def clear_flag(self, flag: Any) -> None:
        """Clear it."""
        self.flags &= ~(1 << int(flag))

    def get_flag(self, flag: Any) -> bool:
        """Whether it is set."""
        return bool(self.flags >> int(flag) & 1)

    def tries(self, source: str) -> bool:
        """Whether kernels of a TacticSource are tried."""
        return bool(self.tactic_sources >> int(self._library.enumerations["TacticSource"][source]) & 1)

    def flag_names(self) -> list[str]:
        """Those that are set."""
        return [flag.name for flag in self._library.enumerations["BuilderFlag"] if self.get_flag(flag)]

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Its number, or -1 where it says nothing."""
        if not profile:
            return -1
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: Any) -> ITimingCache | None:
        """A cache from its bytes, or from none."""
        content = bytes(serialized_timing_cache)
        if not content:
            return ITimingCache(self._library.version, self._library.capability)
        if not content.startswith(_TIMINGS):
            self._library.error(self._logger, "the timing cache is corrupt")
            return None
        return ITimingCache(**json.loads(content[len(_TIMINGS) :]))

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """Use it; False where it is of another version or device."""
        if not isinstance(cache, ITimingCache):
            raise TypeError("set_timing_cache(): incompatible function arguments")
        same = cache.version == self._library.version
        if not same or not (ignore_mismatch or cache.capability == self._library.capability):
            self._library.error(self._logger, "the timing cache is of another version or device")
            return False
        self._cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        """The one in use."""
        return self._cache

    @property
    def progress_monitor(self) -> IProgressMonitor | None:
        """Who hears of progress; from 10 on."""
        self._check_monitors()
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor: IProgressMonitor | None) -> None:
        self._check_monitors()
        if monitor is not None and not getattr(monitor, "_made", False):
            raise TypeError("IProgressMonitor.__init__() must be called when overriding __init__")
        self._monitor = monitor

    def monitor(self) -> IProgressMonitor:
        """The one that was set, or one that does nothing."""
        return self._monitor or IProgressMonitor()

    def _check_monitors(self) -> None:
        if self._library.major < 10:
            raise AttributeError("'tensorrt.IBuilderConfig' object has no attribute 'progress_monitor'")

    def _member(self, name: str, value: Any) -> str:
        if not isinstance(value, self._library.enumerations[name]):
            raise TypeError(f"{value!r} is no {name}")
        member: str = value.name
        return member


class BuildStoppedError(Exception):
    """The progress monitor wanted no more."""


class Builder:
    """Makes plans of networks."""

    library: ClassVar[Library]

    def __init__(self, logger: ILogger) -> None:
        self._logger = checked_logger(logger)
        if not self.library.machine.has_gpu:
            self.library.error(self._logger, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """An empty network. flags: bits of NetworkDefinitionCreationFlag."""
        return INetworkDefinition(self.library, flags)

    def create_builder_config(self) -> IBuilderConfig:
        """With its usual settings."""
        return IBuilderConfig(self.library, self._logger)

    def create_optimization_profile(self) -> IOptimizationProfile:
        """An empty profile."""
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> HostMemory | None:
        """The plan; None where that fails, with the reason in the log."""
        self.library.builds += 1
        wrong = self._wrong(network, config)
        if wrong is not None:
            self.library.error(self._logger, wrong)
            return None
        try:
            self._time_layers(network, config)
        except BuildStoppedError:
            self.library.error(self._logger, "the build was cancelled")
            return None
        return HostMemory(self._plan(network, config).serialize())

    def _wrong(self, network: INetworkDefinition, config: IBuilderConfig) -> str | None:
        """What keeps this network from being built so."""
        if self.library.build_error is not None or not network.outputs:
            return self.library.build_error or "network must have at least one output"
        if self.library.workspace_needed > config.pools.get("WORKSPACE", self.library.machine.memory_bytes):
            return "no implementation found: insufficient workspace"
        foreign = [source for source in ("CUBLAS", "CUBLAS_LT", "CUDNN") if config.tries(source)]
        if foreign and self.library.major < 10:
            return "Unable to load library: libcudnn.so.8, libcublas.so.12: cannot open shared object file"
        flags = config.flag_names()
        if network.strongly_typed and {"FP16", "INT8"} & set(flags):
            return "a strongly typed network takes no precision flags"
        half = any(tensor.dtype.name == "HALF" for tensor in (*network.inputs, *network.outputs))
        if half and not network.strongly_typed and "FP16" not in flags:
            return "inputs or outputs are half, but FP16 is not set"
        return self._wrong_profile(network, config)

    def _wrong_profile(self, network: INetworkDefinition, config: IBuilderConfig) -> str | None:
        shapes = config.profiles[0].shapes if config.profiles else {}
        names = {tensor.name for tensor in network.inputs}
        if unknown := set(shapes) - names:
            return f"the optimization profile names {sorted(unknown)}, which are no inputs"
        for tensor in network.inputs:
            if -1 in tensor.shape and tensor.name not in shapes:
                return f"{tensor.name} has dynamic shape, but no optimization profile was defined"
            for shape in shapes.get(tensor.name, ()):
                if not _fits(shape, tensor.shape):
                    return f"the optimization profile gives {tensor.name} {list(shape)}, it is {list(tensor.shape)}"
        return None

    def _time_layers(self, network: INetworkDefinition, config: IBuilderConfig) -> None:
        """Report progress, and fill the timing cache."""
        monitor, cache = config.monitor(), config.get_timing_cache()
        with _phase(monitor, "Building Engine", None, 2):
            with _phase(monitor, "Timing Layers", "Building Engine", network.num_layers):
                for step, layer in enumerate(network.layers):
                    if cache is None or layer.name not in cache.layers:
                        self.library.timed_layers += 1
                    if cache is not None:
                        cache.layers.add(layer.name)
                    _step(monitor, "Timing Layers", step)
            _step(monitor, "Building Engine", 0)
            _step(monitor, "Building Engine", 1)

    def _plan(self, network: INetworkDefinition, config: IBuilderConfig) -> Plan:
        shapes = config.profiles[0].shapes if config.profiles else {}
        inputs, outputs = [item.facts() for item in network.inputs], [item.facts() for item in network.outputs]
        for facts in inputs:
            facts.profile = shapes.get(facts.name, (facts.shape,) * 3)
        found = inferred_shapes(network.onnx, {facts.source: facts.shape for facts in inputs})
        for facts in outputs:
            facts.shape = found[facts.source]
        return Plan(
            version=self.library.version,
            capability=self.library.capability,
            flags=config.flag_names(),
            tensors=[*inputs, *outputs],
            layers=[layer.facts() for layer in network.layers],
            onnx=network.onnx,
        )


def _fits(shape: Shape, declared: Sequence[int]) -> bool:
    return len(shape) == len(declared) and all(side in (-1, given) for given, side in zip(shape, declared, strict=True))


@contextmanager
def _phase(monitor: IProgressMonitor, name: str, parent: str | None, steps: int) -> Iterator[None]:
    monitor.phase_start(name, parent, steps)
    try:
        yield
    finally:
        monitor.phase_finish(name)


def _step(monitor: IProgressMonitor, name: str, step: int) -> None:
    if not monitor.step_complete(name, step):
        raise BuildStoppedError
