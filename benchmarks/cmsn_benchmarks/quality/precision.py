"""What a narrower precision changes in the end: proposals and average recall, beside those of the FP32 graphs.

    python -m cmsn_benchmarks.quality.precision [--precision fp16] [--bundle NAME.cmsn] [--videos FOLDER] [--json OUT]

Both run on ONNX Runtime on the CPU, which computes FP16 graphs in float32 between roundings to FP16: it shows the
effect of rounding weights and activations, not that of a GPU's own arithmetic.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.progress import track

from cmsn_benchmarks.gpu.agreement import differing_proposals
from cmsn_benchmarks.quality.demo import as_spans, final_proposals
from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.backends.onnxruntime.backend import OnnxRuntimeBackend
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.bundle_files import locate_bundle, read_graph, read_manifest
from cmsn_runtime.events import Proposal
from cmsn_runtime.manifest.contents import FULL_PRECISION
from cmsn_training.evaluation import average_recall
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import ANNOTATIONS_FILE, render_streams

AN = (1, 5, 10, 50)
SURE = 0.3  # proposals above this score must be equal
CLOSE = 0.02  # largest difference of their scores


def open_in(precision: str, folder: Path) -> Bundle:
    """A bundle with its graphs of a precision, on the CPU. Raises SettingsError for one that it lacks."""
    manifest = read_manifest(folder)
    files = manifest.variant(precision).graphs
    graphs = {name: read_graph(folder, file) for name, file in files.items()}
    return Bundle(folder, manifest, OnnxRuntimeBackend(graphs, manifest.state_tensors(precision)))


def compare(bundle: Path, videos: Path, precision: str) -> dict[str, Any]:
    """Average recall in percent by precision, its largest difference, and how many sure proposals differ."""
    annotations = read_annotations(videos / ANNOTATIONS_FILE)
    found: dict[str, dict[str, Sequence[Proposal]]] = {}
    for each in (FULL_PRECISION, precision):
        with open_in(each, bundle) as opened:
            found[each] = {
                name: final_proposals(opened, videos / f"{name}.mp4") for name in track(sorted(annotations), each)
            }
    truth = {
        name: np.array([(item.start, item.end) for item in video.annotations]).reshape(-1, 2)
        for name, video in annotations.items()
    }
    recalls = {each: _recalls(lists, truth) for each, lists in found.items()}
    gaps = [abs(recalls[precision][key] - recall) for key, recall in recalls[FULL_PRECISION].items()]
    differing = [
        line
        for name in truth
        for line in differing_proposals(
            found[precision][name], found[FULL_PRECISION][name], least=SURE, tolerance=CLOSE
        )
    ]
    sure = sum(proposal.score > SURE for lists in found[FULL_PRECISION].values() for proposal in lists)
    return {
        "bundle": bundle.name,
        "streams": len(truth),
        "average_recall": recalls,
        "largest_difference": round(max(gaps), 2),
        "proposals_above_0.3": sure,
        "of_these_differing": len(differing),
        "differences": differing,
    }


def _recalls(found: Mapping[str, Sequence[Proposal]], truth: Mapping[str, Any]) -> dict[str, float]:
    spans = {name: as_spans(list(proposals)) for name, proposals in found.items()}
    return {f"AR@{n}": round(average_recall(spans, truth, per_video=n), 2) for n in AN}


@click.command()
@click.option("--precision", default="fp16", show_default=True, help="Precision to compare with FP32.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Default: the one in the package.")
@click.option("--videos", type=click.Path(path_type=Path), help="Videos with annotations.json; rendered by default.")
@click.option("--streams", default=20, show_default=True, type=click.IntRange(1), help="Number of rendered streams.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(precision: str, bundle: Path | None, videos: Path | None, streams: int, output: Path | None) -> None:
    """Run both precisions over the same streams."""
    with tempfile.TemporaryDirectory() as temporary:
        if videos is None:
            videos = Path(temporary)
            render_streams(videos, RenderSettings(seconds=60.0, seed=700001), streams=streams)
        report = compare(locate_bundle(bundle), videos, precision)
    text = json.dumps(report, indent=2)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
