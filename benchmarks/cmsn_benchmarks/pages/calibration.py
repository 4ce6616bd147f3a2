"""The section of the page on INT8."""

from __future__ import annotations

from pathlib import Path

from cmsn_benchmarks.pages.markdown import Json, figure, mapping, table


def calibration_lines(_: Path, found: Json) -> list[str]:
    """For each bundle what each precision costs, and how fast it is."""
    lines: list[str] = []
    for name, figures in mapping(found.get("bundles")).items():
        bundle = mapping(figures)
        floats = bundle.get("float_layers")
        kept = ", ".join(map(str, floats)) if isinstance(floats, list) and floats else "none"
        lines += [f"**{name}** (layers that stay float in the mix: {kept})", ""]
        lines += [*_precisions(mapping(bundle.get("precisions"))), *_speeds(mapping(bundle.get("speeds")))]
    return lines


def _precisions(rows: Json) -> list[str]:
    names = list(dict.fromkeys(key for row in rows.values() for key in mapping(mapping(row).get("recalls"))))
    cells = []
    for name, row in rows.items():
        quality, recalls = mapping(mapping(row).get("quality")), mapping(mapping(row).get("recalls"))
        costs = [figure(quality.get("signal_to_noise")), _percent(quality.get("stages"), whole=1.0)]
        cells.append([name, *(costs if name != "fp32" else ["", ""]), *(_percent(recalls.get(each)) for each in names)])
    return table(["precision", "features, dB", "same stage, %", *names], cells)


def _percent(value: object, *, whole: float = 100.0) -> str:
    """With two digits after the point, for a hundredth of a percent is what these differ by."""
    return f"{100 * value / whole:.2f}" if isinstance(value, int | float) else figure(value)


def _speeds(rows: Json) -> list[str]:
    cells = []
    for name, row in rows.items():
        speed = mapping(row)
        spread = " to ".join(figure(speed.get(end)) for end in ("least", "most"))
        cells.append([name, figure(speed.get("frames_per_second")), f"{figure(speed.get('ratio'))} ({spread})"])
    return table(["the extractor on", "frames per second", "times as fast"], cells)
