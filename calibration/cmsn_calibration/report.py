"""What a calibration did and what it costs: for the terminal, and a folder with JSON, Markdown and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

from cmsn_calibration.calibrating import Calibration, CalibrationSettings
from cmsn_calibration.comparing import Compared
from cmsn_calibration.drift import Drift
from cmsn_calibration.mixing import Mix
from cmsn_calibration.stretches import videos_of
from cmsn_runtime.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """bundle: name of the one that was calibrated. floats: layers that stay float. noise: tensor that a layer reads ->
    its signal-to-noise in dB, with all others in INT8. sizes: bytes of the extractor, by precision. mixes: in the order
    in which they were tried. drift: None where it was not measured. speeds: backend -> frames per second.
    """

    bundle: str
    settings: CalibrationSettings
    calibration: Calibration
    floats: tuple[str, ...]
    compared: Compared
    noise: Mapping[str, float]
    sizes: Mapping[str, int]
    mixes: Sequence[Mix]
    drift: Drift | None = None
    speeds: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> str:
        """All figures, and the stretches and ranges that they come from; infinite ones as null."""
        noise = {layer.name: _finite(self.noise[layer.activation]) for layer in self.calibration.layers}
        content = {
            "bundle": self.bundle,
            "made_with": _made_with(),
            "settings": asdict(self.settings),
            "layers": [
                {
                    **asdict(item),
                    "signal_to_noise": _finite(item.signal_to_noise),
                    "input_signal_to_noise": noise[item.layer],
                }
                for item in self.calibration.ranges
            ],
            "float_layers": self.floats,
            "quality": asdict(self.compared.quality),
            "recall_by_delay": {"int8": _delays(self.compared.delays), "fp32": _delays(self.compared.expected_delays)},
            "drift": None if self.drift is None else asdict(self.drift),
            "extractor_bytes": dict(self.sizes),
            "frames_per_second": {name: round(value, 1) for name, value in self.speeds.items()},
            "mixes": [{"float_layers": mix.floats, **asdict(mix.recall)} for mix in self.mixes],
            "stretches": [asdict(item) for item in self.calibration.stretches],
        }
        return json.dumps(content, indent=1, default=_as_plain, allow_nan=False) + "\n"

    def lines(self) -> Iterator[str]:
        """For people, one fact in a line."""
        quality = self.compared.quality
        stretches = self.calibration.stretches
        yield f"{len(stretches)} stretches of {len(videos_of(stretches))} videos; layers by what they cost alone:"
        for item in sorted(self.calibration.ranges, key=lambda item: item.signal_to_noise):
            kept = "; stays float" if item.layer in self.floats else ""
            yield (
                f"  {item.layer}: {item.signal_to_noise:.1f} dB, range {item.range:.3g} of {item.largest:.3g} by "
                f"{item.method}{kept}"
            )
        yield (
            f"features {quality.signal_to_noise:.1f} dB; {100 * quality.stages:.2f} % of {quality.steps:,} steps of "
            f"{quality.videos} videos have the stage of FP32 ({quality.backend})"
        )
        if quality.recall is not None:
            found = quality.recall
            yield f"AR@{found.number} {found.percent:.2f}, in FP32 {found.full_precision:.2f} ({-found.drop:+.2f})"
        if self.drift is not None:
            yield (
                f"error of the features {100 * self.drift.first:.2f} % in the first minute of {self.drift.minutes:g}, "
                f"{100 * self.drift.last:.2f} % in the last"
            )
        yield f"extractor {self.sizes['int8'] / 1e6:.2f} MB, in FP32 {self.sizes['fp32'] / 1e6:.2f} MB"
        for name, value in self.speeds.items():
            yield f"  {name}: {value:,.0f} frames/s, {value / self.speeds['onnxruntime']:.2f} times onnxruntime"


def origin_of(calibration: Calibration, settings: CalibrationSettings, floats: Sequence[str]) -> dict[str, object]:
    """What an INT8 variant comes from, as the manifest has it: plain JSON."""
    return {
        "made_with": _made_with(),
        "settings": {**asdict(settings), "methods": list(settings.methods)},
        "float_layers": list(floats),
        "ranges": {item.layer: [item.method, round(item.range, 6)] for item in calibration.ranges},
        "stretches": [[item.excerpt.video.name, round(float(item.excerpt.begin), 3)] for item in calibration.stretches],
    }


def write_report(report: CalibrationReport, folder: Path) -> None:
    """Write report.json, report.md, and the pictures that it shows. Raises OutputError, MissingExtraError."""
    from cmsn_calibration.report_pictures import draw_delays, draw_layers

    folder.mkdir(parents=True, exist_ok=True)
    draw_layers(report.calibration.ranges, report.floats, folder / "layers.png")
    pictures = ["![Signal-to-noise of the features with one layer in INT8](layers.png)"]
    if report.compared.delays:
        draw_delays(report.compared.delays, report.compared.expected_delays, folder / "delays.png")
        pictures.append("![Average recall against the allowed delay](delays.png)")
    write_whole(folder / "report.json", report.as_json().encode())
    write_whole(folder / "report.md", _markdown(report, pictures).encode())


def _markdown(report: CalibrationReport, pictures: Sequence[str]) -> str:
    facts = [f"- {line.strip()}" if not line.startswith("  ") else f"  - {line.strip()}" for line in report.lines()]
    return "\n".join(
        [f"# {report.bundle} in INT8", "", *facts, "", *[line for item in pictures for line in (item, "")]]
    )


def _made_with() -> dict[str, str]:
    return {name: version(name) for name in ("cmsn", "onnx", "onnxruntime")}


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
