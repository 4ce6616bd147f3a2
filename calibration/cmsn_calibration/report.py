"""What a calibration did and what it costs, as JSON and for the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

from cmsn_calibration.calibrating import Calibration, CalibrationSettings
from cmsn_calibration.mixing import Mix
from cmsn_runtime.manifest.quality import Quality


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """bundle: name of the one that was calibrated. floats: layers that stay float. quality: None where nothing was
    compared. sizes: bytes of the extractor, by precision. mixes: in the order in which they were tried.
    """

    bundle: str
    settings: CalibrationSettings
    calibration: Calibration
    floats: tuple[str, ...]
    quality: Quality | None
    sizes: Mapping[str, int]
    mixes: Sequence[Mix]

    def as_json(self) -> str:
        """All figures, and the stretches and ranges that they come from."""
        calibration = self.calibration
        content = {
            "bundle": self.bundle,
            "made_with": {name: version(name) for name in ("cmsn", "onnx", "onnxruntime")},
            "settings": asdict(self.settings),
            "layers": [asdict(item) for item in calibration.ranges],
            "float_layers": self.floats,
            "quality": None if self.quality is None else asdict(self.quality),
            "extractor_bytes": dict(self.sizes),
            "mixes": [{"float_layers": mix.floats, **asdict(mix.recall)} for mix in self.mixes],
            "stretches": [asdict(item) for item in calibration.stretches],
        }
        return json.dumps(content, indent=1, default=_as_plain) + "\n"

    def lines(self) -> Iterator[str]:
        """For people: the layers by their damage, then the whole."""
        worst = sorted(self.calibration.ranges, key=lambda item: item.signal_to_noise)
        yield "layer            range  of largest  found by    features with it alone in INT8"
        for item in worst:
            kept = " (stays float)" if item.layer in self.floats else ""
            yield (
                f"{item.layer:15} {item.range:6.2f}  {100 * item.range / item.largest:8.0f} %  {item.method:10}  "
                f"{item.signal_to_noise:5.1f} dB{kept}"
            )
        if self.quality is not None:
            yield from _quality_lines(self.quality)
        full, lowered = self.sizes["fp32"], self.sizes["int8"]
        yield f"extractor: {lowered / 1e6:.2f} MB instead of {full / 1e6:.2f}"


def write_report(report: CalibrationReport, path: Path) -> None:
    """Write the JSON. Raises OutputError."""
    from cmsn_runtime.files import write_whole

    write_whole(path, report.as_json().encode())


def _quality_lines(quality: Quality) -> Iterator[str]:
    yield (
        f"whole: features {quality.signal_to_noise:.1f} dB; {100 * quality.stages:.2f} % of {quality.steps:,} steps of "
        f"{quality.videos} videos have the same stage ({quality.backend})"
    )
    if quality.recall is not None:
        found = quality.recall
        yield f"AR@{found.number}: {found.percent:.2f} instead of {found.full_precision:.2f} ({-found.drop:+.2f})"


def _as_plain(value: object) -> object:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, Path):
        return value.name
    raise TypeError(f"{value!r} cannot be written as JSON")
