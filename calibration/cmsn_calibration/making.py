"""The whole way of `cmsn calibrate`: calibrate, compare, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cmsn_calibration.bars import Bars
from cmsn_calibration.calibrating import Calibration, CalibrationSettings, calibrate, videos_in
from cmsn_calibration.collecting import SHARE
from cmsn_calibration.comparing import REFERENCE, Comparison, int8_backend, opened_for_certain
from cmsn_calibration.drift import Drift, measure_drift
from cmsn_calibration.enough import Tenth, ranges_of
from cmsn_calibration.excerpts import Pixels, read_excerpt
from cmsn_calibration.gains import saved_seconds
from cmsn_calibration.labels import chosen_videos, labels_of
from cmsn_calibration.mixing import Mix, candidates, layer_costs, search_mix
from cmsn_calibration.precisions import MIX, Precision, compared_precisions, timed
from cmsn_calibration.report import CalibrationReport, origin_of
from cmsn_calibration.speed import Speed
from cmsn_calibration.trials import Trials
from cmsn_calibration.variant import INT8, write_int8_variant
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import read_manifest
from cmsn_runtime.manifest.contents import FULL_PRECISION
from cmsn_runtime.reporting import report as report_line
from cmsn_runtime.stopping import Stopped

_FILM_SECONDS = 60  # of the stretches, over and over, for the drift

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """bundle, videos: folders. test_videos: those that judge the result. annotations: of some of either.
    output: what is written.

    most_drop: points of AR@10 that may be lost; None for all layers in INT8. compared: videos of each kind, at most.
    drift_minutes: of a stream over which drift is measured; None for no such stream. sensitivity: whether stages and
    recall are measured for each layer alone.
    """

    bundle: Path
    videos: Path
    test_videos: Path
    annotations: Sequence[Path]
    output: Path
    settings: CalibrationSettings
    most_drop: float | None
    compared: int
    drift_minutes: float | None
    sensitivity: bool = False


@dataclass(frozen=True, slots=True)
class _Sets:
    """Trials on the videos that mixes are chosen on, and on those that judge them; the same without others."""

    choosing: Trials
    judging: Trials
    judge: Comparison


def make(job: Job) -> CalibrationReport:
    """Calibrate, compare with FP32, and write the bundle. A Ctrl-C after that leaves out what is not yet measured.

    Raises as `calibrate`, `search_mix` and `write_bundle` do.
    """
    videos = videos_in(job.videos)
    tested = videos if job.test_videos == job.videos else videos_in(job.test_videos, option="--test-videos")
    truth = labels_of(job.annotations, list(dict.fromkeys([*videos, *tested])))
    with Bars() as bars, tempfile.TemporaryDirectory() as folder:
        calibration = calibrate(job.bundle, videos, job.settings, progress=bars.show, note=_note)
        sets = _sets(job, calibration, videos, tested, truth, bars)
        mixes = _mixes(job, calibration, sets) if job.most_drop is not None else []
        floats = mixes[-1].floats if mixes else ()
        graph, compared = sets.judging.graph(floats), sets.judging.compared(floats)
        origin = origin_of(calibration, job.settings, floats)
        manifest = write_int8_variant(job.bundle, graph, out=job.output, quality=compared.quality, origin=origin)
        whole = Path(folder) / "int8.cmsn" if floats else job.output
        if floats:
            write_int8_variant(job.bundle, sets.judging.graph(()), out=whole)
        tenth = _unless_stopped(lambda: _tenth(calibration, sets.judging, floats))
        rows = _unless_stopped(lambda: _precisions(job, sets, floats))
        layers = [item.name for item in calibration.layers] if job.sensitivity else []
        alone = _unless_stopped(lambda: {name: sets.choosing.alone(name) for name in layers})
        drift = _unless_stopped(lambda: _drift(job, calibration, bars))
        speeds = _unless_stopped(lambda: _speeds(job, whole, floats))
    return CalibrationReport(
        bundle=manifest.name,
        settings=job.settings,
        calibration=calibration,
        floats=floats,
        compared=compared,
        chosen_apart=sets.choosing is not sets.judging,
        noise=calibration.reference.of_tensors(graph, [layer.activation for layer in calibration.layers]),
        sizes={name: manifest.variant(name).graphs["extractor"].bytes for name in (FULL_PRECISION, INT8)},
        mixes=mixes,
        precisions=rows or [],
        tenth=tenth,
        alone=alone or {},
        drift=drift,
        speeds=speeds or {},
    )


def _sets(
    job: Job,
    calibration: Calibration,
    videos: Sequence[Path],
    tested: Sequence[Path],
    truth: Mapping[str, np.ndarray],
    bars: Bars,
) -> _Sets:
    """Mixes are chosen on the videos of the calibration where these have labels, and on the others where not."""

    def trials(pool: Sequence[Path], name: str, what: str) -> tuple[Trials, Comparison]:
        chosen = chosen_videos(pool, truth, job.compared)
        counted = bars.counter(f"FP32 on {what}", len(chosen))
        comparison = Comparison(job.bundle, chosen, truth, name=name, progress=counted)
        return Trials(calibration, comparison, bars.counter, what=what), comparison

    judging, judge = trials(tested, job.test_videos.name, "the test videos")
    apart = tested is not videos and any(str(video) in truth for video in videos)
    if not apart or (job.most_drop is None and not job.sensitivity):
        return _Sets(judging, judging, judge)
    choosing, _ = trials(videos, job.videos.name, "the videos of the calibration")
    return _Sets(choosing, judging, judge)


def _mixes(job: Job, calibration: Calibration, sets: _Sets) -> list[Mix]:
    assert job.most_drop is not None
    seconds = saved_seconds(job.bundle, calibration.graph, calibration.layers, sets.judging.graph)
    noise = {item.layer: item.signal_to_noise for item in calibration.ranges}
    tries = candidates(layer_costs(noise, seconds))
    return list(search_mix(tries, sets.choosing.recall, sets.judging.recall, most_drop=job.most_drop))


def _tenth(calibration: Calibration, trials: Trials, floats: Sequence[str]) -> Tenth:
    found = trials.with_ranges(ranges_of(calibration.ranges, calibration.tenth), floats)
    stretches = -(-len(calibration.stretches) // SHARE)
    return Tenth(stretches, trials.compared(floats), found)


def _precisions(job: Job, sets: _Sets, floats: Sequence[str]) -> list[Precision]:
    rows = compared_precisions(job.bundle, sets.judge)
    rows.append(Precision(INT8, sets.judging.compared(())))
    return [*rows, Precision(MIX, sets.judging.compared(floats))] if floats else rows


def _speeds(job: Job, whole: Path, floats: Sequence[str]) -> dict[str, Speed]:
    mixed = {MIX: job.output} if floats else {}
    return timed(job.bundle, {INT8: whole, **mixed}, stride=read_manifest(job.bundle).grid.stride)


def _drift(job: Job, calibration: Calibration, bars: Bars) -> Drift | None:
    if job.drift_minutes is None:
        return None
    minutes = job.drift_minutes
    with (
        open_bundle(job.bundle, backend=REFERENCE) as expected,
        opened_for_certain(job.output, int8_backend()) as found,
    ):
        return measure_drift(
            found.backend,
            expected.backend,
            _film(job, calibration),
            expected.grid,
            minutes=minutes,
            progress=lambda done: bars.show("a long stream, minutes", int(done), int(minutes)),
        )


def _film(job: Job, calibration: Calibration) -> Pixels:
    """Stretches from all over the videos, one after another."""
    manifest = read_manifest(job.bundle)
    count = max(1, round(_FILM_SECONDS / job.settings.seconds))
    chosen = calibration.stretches[:: -(-len(calibration.stretches) // count)]
    return np.concatenate([read_excerpt(item.excerpt, manifest, run_in=0)[0] for item in chosen])


def _unless_stopped(measure: Callable[[], _Found]) -> _Found | None:
    """The bundle is written: whoever asks for the end gets the report without what is missing."""
    try:
        return measure()
    except (KeyboardInterrupt, Stopped):
        _note("stopped; the bundle is written, and the report lacks what was being measured")
        return None


def _note(line: str) -> None:
    report_line(line, kind="warning")
