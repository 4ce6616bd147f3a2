"""Writes a calibration's report: JSON, Markdown and pictures."""

from __future__ import annotations

from pathlib import Path

from cmsn_calibration.report import CalibrationReport
from cmsn_calibration.report_json import as_json
from cmsn_calibration.report_pictures import draw_delays, draw_layers
from cmsn_runtime.files import write_whole


def write_report(report: CalibrationReport, folder: Path) -> None:
    """Write report.json, report.md, and the pictures that it shows. Raises OutputError, MissingExtraError."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = {layer.name: report.noise[layer.activation] for layer in report.calibration.layers}
    draw_layers(report.calibration.ranges, noise, report.floats, folder / "layers.png")
    pictures = ["![Signal-to-noise by layer](layers.png)"]
    delays = {row.name: row.compared.delays for row in report.precisions if row.compared.delays}
    if delays:
        draw_delays(delays, folder / "delays.png")
        pictures.append("![Average recall against the allowed delay](delays.png)")
    write_whole(folder / "report.json", as_json(report).encode())
    write_whole(folder / "report.md", report.markdown(pictures).encode())
