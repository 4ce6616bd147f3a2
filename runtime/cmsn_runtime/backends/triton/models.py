"""The models of a bundle on a server: their names and Triton's configuration of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.contents import GRAPH_NAMES, Manifest, StateTensor
from cmsn_runtime.stages import STAGE_COUNT

_TYPES = {"float32": "TYPE_FP32", "float16": "TYPE_FP16", "int8": "TYPE_INT8"}
_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """How a server runs the models.

    batch: cameras in one run, and sequences at a time. delay_ms: how long the server waits for more requests to batch;
    at 25 fps a batch of cameras needs 20 to 40. idle_seconds: a sequence without chunks for so long is ended.
    precision: variant of the bundle. tensorrt: plans of `cmsn build` in place of the graphs.
    """

    batch: int = 32
    delay_ms: float = 30.0
    idle_seconds: float = 60.0
    precision: str = "fp32"
    tensorrt: bool = False
    gpu: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch", "delay_ms", "idle_seconds"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be above 0")


def model_name(manifest: Manifest, part: str) -> str:
    """The name of one of a bundle's networks on a server, such as "demo_extractor"."""
    return f"{_UNUSUAL.sub('_', manifest.name)}_{part}"


def configurations(manifest: Manifest, settings: ServingSettings) -> dict[str, str]:
    """Network -> its config.pbtxt. Raises SettingsError where the bundle takes rows, or lacks the precision.

    The extractor's states are implicit state of the sequence batcher, zero at the start of a sequence; see
    https://github.com/triton-inference-server/server/blob/main/docs/user_guide/architecture.md#stateful-models
    """
    if manifest.preprocessing is None:
        raise SettingsError(f"{manifest.name} takes feature rows; a server serves bundles of pictures")
    states = manifest.state_tensors(settings.precision)
    parts = {
        "extractor": _extractor(manifest, settings, states),
        "stages": _stages(manifest, settings),
        "evaluator": _evaluator(manifest),
    }
    backend = "tensorrt" if settings.tensorrt else "onnxruntime"
    common = _group(settings)
    return {
        part: f'name: "{model_name(manifest, part)}"\nbackend: "{backend}"\n{parts[part]}{common}'
        for part in GRAPH_NAMES
    }


def _extractor(manifest: Manifest, settings: ServingSettings, states: Sequence[StateTensor]) -> str:
    chunk = manifest.grid.stride
    sides = ", ".join(map(str, (chunk, *manifest.input_shape)))
    delay = round(settings.delay_ms * 1000)
    return f"""max_batch_size: {settings.batch}
input [
  {{ name: "frames" data_type: TYPE_UINT8 dims: [ {sides} ] }},
  {{ name: "position" data_type: TYPE_INT64 dims: [ 1 ] reshape {{ shape: [ ] }} }},
  {{ name: "length" data_type: TYPE_INT64 dims: [ 1 ] reshape {{ shape: [ ] }} }}
]
output [ {{ name: "features" data_type: TYPE_FP32 dims: [ -1, {manifest.network.feature_channels} ] }} ]
sequence_batching {{
  max_sequence_idle_microseconds: {round(settings.idle_seconds * 1e6)}
  oldest {{ max_candidate_sequences: {settings.batch} max_queue_delay_microseconds: {delay} }}
{_states(states)}}}
"""


def _states(states: Sequence[StateTensor]) -> str:
    if not states:
        return ""
    return "  state [\n" + ",\n".join(map(_state, states)) + "\n  ]\n"


def _state(state: StateTensor) -> str:
    dims = ", ".join(map(str, state.shape))
    kind = _TYPES[state.dtype]
    return f"""    {{
      input_name: "past.{state.name}"
      output_name: "next.{state.name}"
      data_type: {kind}
      dims: [ {dims} ]
      initial_state {{ name: "zero" data_type: {kind} dims: [ {dims} ] zero_data: true }}
    }}"""


def _stages(manifest: Manifest, settings: ServingSettings) -> str:
    return f"""max_batch_size: {settings.batch}
input [ {{ name: "features" data_type: TYPE_FP32 dims: [ -1, {manifest.network.feature_channels} ] }} ]
output [ {{ name: "probabilities" data_type: TYPE_FP32 dims: [ -1, {STAGE_COUNT} ] }} ]
dynamic_batching {{ max_queue_delay_microseconds: {round(settings.delay_ms * 1000)} }}
"""


def _evaluator(manifest: Manifest) -> str:
    bins = manifest.proposals.roi_bins
    return f"""max_batch_size: 0
input [
  {{ name: "features" data_type: TYPE_FP32 dims: [ -1, {manifest.network.feature_channels} ] }},
  {{ name: "left" data_type: TYPE_INT64 dims: [ -1, {bins} ] }},
  {{ name: "right" data_type: TYPE_INT64 dims: [ -1, {bins} ] }}
]
output [ {{ name: "scores" data_type: TYPE_FP32 dims: [ -1 ] }} ]
"""


def _group(settings: ServingSettings) -> str:
    kind = "KIND_GPU" if settings.gpu or settings.tensorrt else "KIND_CPU"
    threads = (
        f'parameters {{ key: "intra_op_thread_count" value: {{ string_value: "{settings.threads}" }} }}\n'
        if settings.threads and not settings.tensorrt
        else ""
    )
    return f"instance_group [{{ kind: {kind} count: 1 }}]\n{threads}"
