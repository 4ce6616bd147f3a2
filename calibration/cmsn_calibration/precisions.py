"""The precisions of a bundle beside each other: what each costs, and how fast it is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cmsn_calibration.comparing import Compared, Comparison
from cmsn_calibration.speed import Runner, Speed, float_backends, int8_backends, speeds

MIX = "mix"


@dataclass(frozen=True, slots=True)
class Precision:
    """name: "fp32", "openvino-bf16", "int8" for all layers, "mix". compared: with FP32 on ONNX Runtime."""

    name: str
    compared: Compared


def compared_precisions(folder: Path, comparison: Comparison) -> list[Precision]:
    """A bundle's own precisions that run here: FP32, then BF16 and FP16 where the processor has them."""
    _, *others = float_backends()
    halves = [name for name in others if name != "openvino"]
    return [
        Precision("fp32", comparison.reference),
        *(Precision(name, comparison.on(folder, name)) for name in halves),
    ]


def timed(folder: Path, lowered: Mapping[str, Path], *, stride: int) -> dict[str, Speed]:
    """The bundle on each backend here, and others in INT8, by name. stride: frames of a step."""
    runners = {name: Runner(folder, name) for name in float_backends()}
    for name, path in lowered.items():
        runners |= {f"{backend}, {name}": Runner(path, backend) for backend in int8_backends()}
    return speeds(runners, stride=stride)
