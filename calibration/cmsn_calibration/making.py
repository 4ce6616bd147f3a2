"""The whole way of `cmsn calibrate`: calibrate, compare, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cmsn_calibration.calibrating import Calibration, CalibrationSettings, calibrate, videos_in
from cmsn_calibration.choosing import with_ranges
from cmsn_calibration.comparing import REFERENCE, Compared, Comparison, open_int8
from cmsn_calibration.drift import Drift, measure_drift
from cmsn_calibration.mixing import Mix, search_mix
from cmsn_calibration.report import CalibrationReport, origin_of
from cmsn_calibration.speed import backends_here, speeds
from cmsn_calibration.variant import INT8, write_int8_variant
from cmsn_runtime.annotations import read_annotations
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.manifest.contents import FULL_PRECISION
from cmsn_runtime.manifest.quality import Recall
from cmsn_runtime.names import ByName, first_few
from cmsn_runtime.reporting import report as report_line
from cmsn_training.evaluation import Spans

_AN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """bundle, videos: folders. test_videos: those to compare on, annotations: of some of them. output: what is written.

    most_drop: points of AR@10 that may be lost; None for all layers in INT8. compared: videos, at most. drift_minutes:
    of a stream over which drift is measured; None for no such stream.
    """

    bundle: Path
    videos: Path
    test_videos: Path
    annotations: Path | None
    output: Path
    settings: CalibrationSettings
    most_drop: float | None
    compared: int
    drift_minutes: float | None


def make(job: Job) -> CalibrationReport:
    """Calibrate, compare with FP32, and write the bundle. Raises as `calibrate`, `search_mix` and `write_bundle` do."""
    videos = videos_in(job.videos)
    tested = videos if job.test_videos == job.videos else videos_in(job.test_videos, option="--test-videos")
    truth = _truth(job.annotations, tested)
    with _bars() as bars:
        calibration = calibrate(job.bundle, videos, job.settings, progress=_Bar(bars).show, note=_note)
        compared = _to_compare(tested, truth, job.compared)
        bar = _Bar(bars)
        comparison = Comparison(
            job.bundle, compared, truth, number=_AN, progress=bar.counter("FP32 on whole videos", len(compared))
        )
        trial = _Trial(calibration, comparison, lambda: bar.counter("INT8 on whole videos", len(compared)))
        mixes = _mixes(trial, job.most_drop)
        floats = mixes[-1].floats if mixes else ()
        graph, found = trial.measured(floats)
        origin = origin_of(calibration, job.settings, floats)
        manifest = write_int8_variant(job.bundle, graph, out=job.output, quality=found.quality, origin=origin)
        drift = None if job.drift_minutes is None else _drift(job, calibration, job.drift_minutes, _Bar(bars).show)
    return CalibrationReport(
        bundle=manifest.name,
        settings=job.settings,
        calibration=calibration,
        floats=floats,
        compared=found,
        noise=calibration.reference.of_tensors(graph, [layer.activation for layer in calibration.layers]),
        sizes={name: manifest.variant(name).graphs["extractor"].bytes for name in (FULL_PRECISION, INT8)},
        mixes=mixes,
        drift=drift,
        speeds=speeds(job.output, backends_here()),
    )


def _drift(job: Job, calibration: Calibration, minutes: float, show: Callable[[str, int, int], None]) -> Drift:
    frames = np.concatenate([frames[before:] for frames, before in calibration.reference.parts])
    with open_bundle(job.bundle, backend=REFERENCE) as expected, open_int8(job.output) as found:
        return measure_drift(
            found.backend,
            expected.backend,
            frames,
            expected.grid,
            minutes=minutes,
            progress=lambda done: show("a long stream, minutes", int(done), int(minutes)),
        )


class _Trial:
    """Networks in which some layers stay float, each built and compared once."""

    def __init__(
        self, calibration: Calibration, comparison: Comparison, progress: Callable[[], Callable[[], object]]
    ) -> None:
        self.ranges = calibration.ranges
        self._calibration, self._comparison, self._progress = calibration, comparison, progress
        self._found: dict[tuple[str, ...], tuple[bytes, Compared]] = {}

    def measured(self, floats: Sequence[str]) -> tuple[bytes, Compared]:
        """The extractor's graph, and what it costs."""
        key = tuple(floats)
        if key not in self._found:
            calibration = self._calibration
            graph = with_ranges(calibration.graph, calibration.layers, calibration.ranges, without=floats)
            noise = calibration.reference.signal_to_noise(graph)
            found = self._comparison.with_graph(graph, signal_to_noise=noise, progress=self._progress())
            self._found[key] = graph, found
        return self._found[key]

    def recall(self, floats: Sequence[str]) -> Recall:
        """Raises SettingsError where no compared video has labels."""
        found = self.measured(floats)[1].quality.recall
        if found is None:
            raise SettingsError("none of the compared videos has labels; name their annotations, or omit --max-ar-drop")
        return found


def _mixes(trial: _Trial, most_drop: float | None) -> list[Mix]:
    return [] if most_drop is None else list(search_mix(trial.ranges, trial.recall, most_drop=most_drop))


def _truth(annotations: Path | None, videos: Sequence[Path]) -> Mapping[str, Spans]:
    """Labels, [G, 2] in seconds, by the paths of the videos; those of other videos are left out.

    Raises SettingsError where there are none, or two videos have the name of an entry.
    """
    if annotations is None:
        return {}
    by_name = ByName(read_annotations(annotations))
    found = {str(video): by_name.get(video.stem) for video in videos}
    labelled = {
        name: np.array([(item.start, item.end) for item in entry.annotations]).reshape(-1, 2)
        for name, entry in found.items()
        if entry is not None
    }
    stems = Counter(Path(name).stem for name in labelled)
    twice = sorted(stem for stem, count in stems.items() if count > 1)
    if twice:
        raise SettingsError(
            f"{annotations}: {first_few(twice)} names more than one video; give each its own name, or another folder"
        )
    if not labelled:
        raise SettingsError(
            f"{annotations}: none of its entries is one of the videos; NAME, v_NAME and NAME.mp4 are one"
        )
    return labelled


def _to_compare(videos: Sequence[Path], truth: Mapping[str, Spans], most: int) -> list[Path]:
    """Those with labels first; evenly spread over the folder."""
    labelled = [video for video in videos if str(video) in truth]
    pool = labelled or list(videos)
    return pool[:: max(1, -(-len(pool) // most))][:most]


class _Bar:
    """One line of progress for each thing that is done."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def show(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done)

    def counter(self, what: str, total: int) -> Callable[[], None]:
        """A function that counts one more each time it is called."""
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            self.show(what, done, total)

        return count


def _bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _note(line: str) -> None:
    report_line(line, kind="warning")
