"""What a calibration did and what it costs, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

from cmsn_calibration.calibrating import Calibration, CalibrationSettings
from cmsn_calibration.comparing import Compared
from cmsn_calibration.drift import Drift
from cmsn_calibration.enough import Tenth
from cmsn_calibration.mixing import Mix
from cmsn_calibration.precisions import Precision
from cmsn_calibration.report_tables import mixes_table, precision_table, sensitivity_table, speed_table, stage_table
from cmsn_calibration.speed import Speed
from cmsn_calibration.stretches import videos_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """bundle: name of the one that was calibrated. floats: layers that stay float. compared: what was written, with
    FP32. chosen_apart: whether mixes were chosen on other videos than those that judge them. noise: tensor that a
    layer reads -> its signal-to-noise in dB, with all others in INT8. sizes: bytes of the extractor, by precision.
    mixes: in the order in which they were tried. alone: what each layer costs that alone is INT8; empty where it was
    not asked for. tenth, drift: None where they were not measured. speeds: of what the name says.
    """

    bundle: str
    settings: CalibrationSettings
    calibration: Calibration
    floats: tuple[str, ...]
    compared: Compared
    chosen_apart: bool
    noise: Mapping[str, float]
    sizes: Mapping[str, int]
    mixes: Sequence[Mix]
    precisions: Sequence[Precision]
    tenth: Tenth | None = None
    alone: Mapping[str, Compared] = field(default_factory=dict)
    drift: Drift | None = None
    speeds: Mapping[str, Speed] = field(default_factory=dict)

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
            yield f"AR@{found.number} {found.percent:.2f}, in FP32 {found.full_precision:.2f} ({0 - found.drop:+.2f})"
        if self.mixes:
            yield f"{len(self.mixes)} mixes were tried, chosen on {self._chosen_on()}"
        if self.tenth is not None:
            yield self.tenth.line()
        if self.drift is not None:
            yield (
                f"error of the features {100 * self.drift.first:.2f} % near the begin of {self.drift.minutes:g} "
                f"minutes, {100 * self.drift.last:.2f} % at the end, on the same pictures"
            )
        yield f"extractor {self.sizes['int8'] / 1e6:.2f} MB, in FP32 {self.sizes['fp32'] / 1e6:.2f} MB"
        for name, speed in self.speeds.items():
            yield (
                f"  {name}: {speed.frames_per_second:,.0f} frames/s, {speed.ratio:.2f} times onnxruntime "
                f"({speed.least:.2f} to {speed.most:.2f})"
            )

    def _chosen_on(self) -> str:
        if self.chosen_apart:
            return "the videos of the calibration, and judged on others"
        return "the videos that judge it too, so the result looks a little too good"

    def markdown(self, pictures: Sequence[str]) -> str:
        """The whole report. pictures: Markdown of each."""
        facts = [f"- {line.strip()}" if not line.startswith("  ") else f"  - {line.strip()}" for line in self.lines()]
        tables = [
            *precision_table(self.precisions),
            *stage_table(self.precisions),
            *mixes_table(self.mixes),
            *sensitivity_table(self.alone),
            *speed_table(self.speeds),
        ]
        shown = [line for item in pictures for line in (item, "")]
        return "\n".join([f"# {self.bundle} in INT8", "", *facts, "", *tables, *shown])


def origin_of(calibration: Calibration, settings: CalibrationSettings, floats: Sequence[str]) -> dict[str, object]:
    """What an INT8 variant comes from, as the manifest has it: plain JSON."""
    return {
        "made_with": made_with(),
        "settings": {**asdict(settings), "methods": list(settings.methods)},
        "float_layers": list(floats),
        "ranges": {item.layer: [item.method, round(item.range, 6)] for item in calibration.ranges},
        "stretches": [[item.excerpt.video.name, round(float(item.excerpt.begin), 3)] for item in calibration.stretches],
    }


def made_with() -> dict[str, str]:
    """Versions of what decides the graph."""
    return {name: version(name) for name in ("cmsn", "onnx", "onnxruntime")}
