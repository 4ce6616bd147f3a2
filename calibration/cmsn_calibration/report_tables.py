"""Tables of a calibration's report, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cmsn_calibration.comparing import Compared
from cmsn_calibration.mixing import Mix
from cmsn_calibration.precisions import Precision
from cmsn_calibration.speed import Speed
from cmsn_runtime.manifest.quality import Recall


def precision_table(rows: Sequence[Precision]) -> Iterator[str]:
    """Each precision with FP32 on the same videos."""
    if not rows:
        return
    numbers = list(rows[0].compared.recalls)
    heads = ["precision", "features, dB", "same stage", *(f"AR@{number}" for number in numbers), "runs on"]
    yield from _head(heads)
    for row in rows:
        quality = row.compared.quality
        recalls = [f"{row.compared.recalls[number]:.2f}" for number in numbers]
        yield _row([row.name, *_costs(row.compared), *recalls, quality.backend])
    yield ""


def stage_table(rows: Sequence[Precision]) -> Iterator[str]:
    """Share of the steps of each stage that have the same one as in FP32."""
    if not rows:
        return
    stages = list(rows[0].compared.by_stage)
    yield "Same stage as in FP32, by that stage:"
    yield ""
    yield from _head(["precision", *stages])
    for row in rows[1:]:
        yield _row([row.name, *(f"{100 * row.compared.by_stage[stage]:.2f} %" for stage in stages)])
    yield ""


def mixes_table(mixes: Sequence[Mix]) -> Iterator[str]:
    """Every mix that was tried."""
    if not mixes:
        return
    number = mixes[0].chosen.number
    yield from _head(
        ["layers that stay float", f"AR@{number} where mixes are chosen", f"AR@{number} where they are judged"]
    )
    for mix in mixes:
        judged = "not tried" if mix.judged is None else _recall(mix.judged)
        yield _row([", ".join(mix.floats) or "none", _recall(mix.chosen), judged])
    yield ""


def sensitivity_table(alone: Mapping[str, Compared]) -> Iterator[str]:
    """What each layer costs that alone is INT8, the worst first."""
    if not alone:
        return
    yield from _head(["only this layer in INT8", "features, dB", "same stage", "AR"])
    for name, compared in sorted(alone.items(), key=lambda item: item[1].quality.signal_to_noise):
        recall = compared.quality.recall
        yield _row([name, *_costs(compared), "not measured" if recall is None else _recall(recall)])
    yield ""


def speed_table(speeds: Mapping[str, Speed]) -> Iterator[str]:
    """One step of one camera a call, in turns."""
    if not speeds:
        return
    yield from _head(["extractor on", "frames/s", "times onnxruntime (least to most)"])
    for name, speed in speeds.items():
        spread = f"{speed.ratio:.2f} ({speed.least:.2f} to {speed.most:.2f})"
        yield _row([name, f"{speed.frames_per_second:,.0f}", spread])
    yield ""


def _costs(compared: Compared) -> list[str]:
    quality = compared.quality
    return [f"{quality.signal_to_noise:.1f}", f"{100 * quality.stages:.2f} %"]


def _recall(recall: Recall) -> str:
    return f"{recall.percent:.2f} ({0 - recall.drop:+.2f})"


def _head(cells: Sequence[str]) -> Iterator[str]:
    yield _row(cells)
    yield _row(["---"] * len(cells))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
