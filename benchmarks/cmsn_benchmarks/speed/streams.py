"""What streams cost: CPU per camera-second at the cameras' own pace, CPU of one file, and the delay of the first hop.

    python -m cmsn_benchmarks.speed.streams [--cameras 1 --cameras 8] [--against PYTHON] [--rounds 3] [--json OUT]

PYTHON is an interpreter with another version of cmsn: both take turns, and the report has their ratios.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams

# Runs on any version of cmsn: it uses only what all of them have. argv: clip, cameras, seconds. Prints one JSON object.
_WORKER = """
import json, statistics, sys, time
from fractions import Fraction
import av
import cmsn_runtime as cmsn

clip, cameras, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with cmsn.open_bundle() as bundle:
    height, width = bundle.preprocessing.resize
    with av.open(clip) as container:
        stored = (frame.reformat(width, height, "rgb24").to_ndarray() for frame in container.decode(video=0))
        pictures = [picture for picture, _ in zip(stored, range(int(25 * seconds)))]
    streams = [bundle.stream() for _ in range(cameras)]
    hops, begin, start = [], time.process_time(), time.perf_counter()
    for index in range(len(pictures) + cameras):
        time.sleep(max(0.0, start + index / 25 - time.perf_counter()))  # as cameras deliver them
        for camera, stream in enumerate(streams):
            number = index - camera  # cameras do not begin in the same moment
            if 0 <= number < len(pictures):
                started = time.perf_counter()
                stream.push(cmsn.Frame(pictures[number], Fraction(number, 25)))
                hops.append(time.perf_counter() - started)
    for stream in streams:
        stream.flush()
    spent = time.process_time() - begin
slow = sorted(hops)[-len(hops) // bundle.grid.stride:]  # one push in so many completes a hop
print(json.dumps({
    "cpu_per_camera_second": spent / cameras / (len(pictures) / 25),
    "first_hop": max(hops[: 64 * cameras]),
    "median_hop": statistics.median(slow),
}))
"""


_PACED_SECONDS = 20.0  # of real time for each measurement


@dataclass(frozen=True, slots=True)
class Version:
    """One version of cmsn. python: its interpreter. caches: folder for its compiled kernels."""

    name: str
    python: str
    caches: Path

    def streams(self, clip: Path, cameras: int, seconds: float, *, cold: bool = False) -> dict[str, float]:
        """CPU seconds per camera-second, and seconds of the slowest early push and of a median hop."""
        with tempfile.TemporaryDirectory() as empty:
            command = [self.python, "-c", _WORKER, str(clip), str(cameras), str(seconds)]
            run = subprocess.run(command, env=self._environment(Path(empty) if cold else None), capture_output=True)
        if run.returncode:
            raise SystemExit(f"{self.name}: {run.stderr.decode().strip().splitlines()[-1]}")
        found: dict[str, float] = json.loads(run.stdout)
        return found

    def file(self, clip: Path) -> dict[str, float]:
        """CPU and wall seconds of `cmsn run` on a file."""
        begin = time.perf_counter()
        command = [self.python, "-m", "cmsn_runtime", "run", str(clip), "--quiet", "--csv", os.devnull]
        child = subprocess.Popen(command, env=self._environment(None))
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            raise SystemExit(f"{self.name}: `cmsn run` exited with {os.waitstatus_to_exitcode(status)}")
        return {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.perf_counter() - begin}

    def _environment(self, caches: Path | None) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        folder = str(caches or self.caches)
        return {**plain, "NUMBA_CACHE_DIR": folder, "CMSN_CACHE_DIR": folder}


@click.command()
@click.option("--cameras", "counts", multiple=True, default=(1, 8), show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=60.0, show_default=True, help="Seconds of video per camera.")
@click.option("--against", metavar="PYTHON", help="An interpreter with another version of cmsn.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(counts: tuple[int, ...], seconds: float, against: str | None, rounds: int, output: Path | None) -> None:
    """Render a clip, run the versions on it in turns, compare."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        render_streams(folder, RenderSettings(seconds=seconds, seed=11), streams=1)
        clip = next(folder.glob("*.mp4"))
        versions = [Version("this", sys.executable, folder / "this")]
        if against:
            versions.append(Version("other", against, folder / "other"))
        for version in versions:
            version.file(clip)  # fills its caches
        turns = [
            {version.name: _figures(version, clip, counts, seconds) for version in versions} for _ in range(rounds)
        ]
        report = {version.name: _medians([turn[version.name] for turn in turns]) for version in versions}
    if against:
        report["other_over_this"] = {name: report["other"][name] / report["this"][name] for name in report["this"]}
    rounded = {name: {key: round(value, 5) for key, value in part.items()} for name, part in report.items()}
    click.echo(json.dumps(rounded, indent=2))
    if output is not None:
        output.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


def _figures(version: Version, clip: Path, counts: tuple[int, ...], seconds: float) -> dict[str, float]:
    figures = {f"file_{kind}_seconds": value for kind, value in version.file(clip).items()}
    for count in counts:
        run = version.streams(clip, count, min(seconds, _PACED_SECONDS))
        figures[f"cpu_per_camera_second_of_{count}"] = run["cpu_per_camera_second"]
    for name in ("cold", "warm"):
        run = version.streams(clip, 1, min(seconds, _PACED_SECONDS), cold=name == "cold")
        figures[f"first_hop_over_median_{name}"] = run["first_hop"] / run["median_hop"]
    return figures


def _medians(turns: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


if __name__ == "__main__":
    main()
