"""The figures of `cmsn bench`: what its JSON file holds, and what its table, picture and comparison are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cmsn_runtime.manifest.quality import Quality

FORMAT = 1

Bound = Literal["compute", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of so many repeats of the same thing. Percentiles are of the nearest rank."""

    count: int
    mean: float
    least: float
    p50: float
    p90: float
    p95: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a scenario. at: seconds since the measured time began; taken: milliseconds until its answer."""

    at: float
    taken: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Queries one after the other, each begun when the one before is answered (MLPerf Inference, Datacenter and Edge).

    A query is one hop of each of `cameras` cameras: the frames of a step in, the events out. Single-stream has one
    camera, and its result is the 90th percentile of the latency; multi-stream has several, and its result the 99th.
    parts: of each hop, by name (see `parts.PARTS`), in the order in which data passes them; those of all cameras of
    a query together. frames_per_second: of all cameras. queries: all that were measured, in order.
    """

    cameras: int
    latency: Latency
    parts: Mapping[str, Latency]
    frames_per_second: float
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLoad:
    """So many live cameras at their own rate (MLPerf calls it the server scenario), each captured by its own process.

    frame_to_event: upper bounds in milliseconds (see `live.status.LAG_BOUNDS`), by percentile, from the arrival of a
    frame until all that follows from it has been handed to the outputs; None: later than the last bound, since JSON
    has no infinity. left_out: frames cut off by overload.
    cores: CPU seconds per second, of all processes. fits: nothing was left out, and the 99th percentile is
    within the limit.
    """

    cameras: int
    frame_to_event: Mapping[str, float | None]
    frames_per_second: float
    left_out: int
    cores: float
    megabytes: float
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """The most cameras that fit, by search. rate: frames per second of each. limit: of the 99th percentile, in
    milliseconds.

    picture: what they film, such as "640x480 H.264". most: 0 where not even one fits. loads: all that were tried, in
    order. exact: whether one more was tried and did not fit; otherwise the search ended early, and more may fit.
    """

    most: int
    exact: bool
    rate: float
    limit: float
    picture: str
    loads: tuple[CameraLoad, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """What a frame of a film costs before a hop has it; of live cameras, each capture process does this.

    decode: a stored frame -> the decoder's picture, with reading and timing. convert: that -> RGB at the size that the
    bundle takes. flow: optical flow from the frame before, where the bundle takes it; the stream computes it.
    rate: frames per second. picture: such as "640x480 H.264".
    """

    decode: Latency
    convert: Latency
    rate: float
    picture: str
    flow: Latency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstResult:
    """Seconds in a process of its own, from its start until the first hop is answered; each part, and in total.

    Caches of compiled kernels and graphs are as they were; cold: whether they were empty.
    """

    start: float
    opening: float
    warming: float
    first_hop: float
    total: float
    cold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Megabytes (10^6 bytes). host_peak: of the process, resident. device: used by it on a GPU; None without one."""

    host: float
    host_peak: float
    device: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """Sampled during the measurements, where the machine has such sensors. Watts, degrees Celsius, megahertz.

    power_of: what draws the watts (GPU, module, machine, processor). clock_mean: of the GPU, otherwise of the cores.
    gpu_load_mean: share of the time. memory_most: of the whole machine in use, 10^6 bytes; only of a Jetson,
    whose GPU shares it.
    """

    power_mean: float | None = None
    power_most: float | None = None
    power_of: str | None = None
    temperature_most: float | None = None
    clock_mean: float | None = None
    gpu_load_mean: float | None = None
    memory_most: float | None = None
    throttled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One network against the machine's two ceilings (Williams et al., "Roofline", 2009).

    operations: of one run, by the precision that computes them ("fp32", "bf16", "int8" ...), counted from the graph:
    two per multiply-add. nbytes: weights, inputs, outputs and states, each moved once. seconds: median of one run.
    least_seconds: at the ceilings. share: of that limit which is reached; see `roofline` for what more than 1 means.
    bound: which of the two ceilings makes the limit.
    """

    operations: Mapping[str, float]
    nbytes: float
    seconds: float
    least_seconds: float
    share: float
    bound: Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCeiling:
    """Operations per second of a matrix product. by: library that computed it. side: rows of the fastest matrices."""

    by: str
    operations_per_second: float
    side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """Measured in the same run. products: by precision, those in which the networks compute. bytes_per_second: of a
    copy, read and written. threads: of a CPU; None on a GPU."""

    products: Mapping[str, ProductCeiling]
    bytes_per_second: float
    threads: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """networks: by name (extractor, stages, evaluator), and `whole`, one hop of all three."""

    ceilings: Ceilings
    networks: Mapping[str, Limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendFigures:
    """One backend. asked: as named on the command line. name: of the one that ran, which differs for `auto`; empty in
    files of old. backend: what it calls itself. error: of features against FP32, relative; None where it is the
    reference or was not measured. quality: what the bundle says of its variant.
    None: not asked for, or impossible; notes say why.
    """

    asked: str
    backend: str
    name: str = ""
    error: float | None = None
    quality: Quality | None = None
    first_result: FirstResult | None = None
    single_stream: Scenario | None = None
    multi_stream: Scenario | None = None
    decoding: Decoding | None = None
    sustained: Sustained | None = None
    memory: Memory | None = None
    sensors: Sensors | None = None
    roofline: Roofline | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """What was measured. width: of the network, 1.0 is the paper's. rate: frames per second that it takes."""

    name: str
    sha256: str
    width: float
    input_shape: tuple[int, ...]
    rate: float
    hop_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """warm_up, duration: seconds of each scenario. cameras: of the multi-stream one. threads: None, the default."""

    warm_up: float
    duration: float
    cameras: int
    limit: float
    threads: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """One run of `cmsn bench`. began: time of day, ISO 8601 with its offset. machine: see `facts.machine_facts`."""

    format: int
    cmsn: str
    began: str
    command: str
    machine: Mapping[str, object]
    bundle: BundleFacts
    settings: BenchSettings
    backends: tuple[BackendFigures, ...]
    notes: tuple[str, ...] = field(default=())
