"""The figures of a calibration's report as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from cmsn_calibration.comparing import Compared
from cmsn_calibration.report import CalibrationReport, made_with


def as_json(report: CalibrationReport) -> str:
    """All figures, and the stretches and ranges that they come from; infinite ones as null."""
    noise = {layer.name: _finite(report.noise[layer.activation]) for layer in report.calibration.layers}
    content = {
        "bundle": report.bundle,
        "made_with": made_with(),
        "settings": asdict(report.settings),
        "layers": [
            {
                **asdict(item),
                "signal_to_noise": _finite(item.signal_to_noise),
                "input_signal_to_noise": noise[item.layer],
            }
            for item in report.calibration.ranges
        ],
        "float_layers": report.floats,
        "written": _compared(report.compared),
        "precisions": {row.name: _compared(row.compared) for row in report.precisions},
        "mixes": [asdict(mix) for mix in report.mixes],
        "mixes_chosen_on_other_videos": report.chosen_apart,
        "layers_alone": {name: _compared(found) for name, found in report.alone.items()},
        "tenth": None
        if report.tenth is None
        else {
            "stretches": report.tenth.stretches,
            "agrees": report.tenth.agrees,
            **_compared(report.tenth.tenth),
        },
        "drift": None if report.drift is None else asdict(report.drift),
        "extractor_bytes": dict(report.sizes),
        "speeds": {
            name: {kind: float(f"{value:.4g}") for kind, value in asdict(speed).items()}
            for name, speed in report.speeds.items()
        },
        "stretches": [asdict(item) for item in report.calibration.stretches],
    }
    return json.dumps(content, indent=1, default=_as_plain, allow_nan=False) + "\n"


def _compared(found: Compared) -> dict[str, object]:
    return {
        "quality": asdict(found.quality),
        "same_stage": {name: round(share, 5) for name, share in found.by_stage.items()},
        "recalls": {f"AR@{number}": value for number, value in found.recalls.items()},
        "recall_by_delay": _delays(found.delays),
    }


def _delays(found: Mapping[float, float]) -> dict[str, float]:
    return {"finals" if math.isinf(delay) else f"{delay:g}": round(value, 3) for delay, value in found.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _as_plain(value: object) -> object:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, Path):
        return value.name
    raise TypeError(f"{value!r} cannot be written as JSON")
