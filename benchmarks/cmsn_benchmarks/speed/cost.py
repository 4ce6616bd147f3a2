"""What everything that is not a network costs: CPU seconds of `cmsn run` of a file, by part.

    python -m cmsn_benchmarks.speed.cost [--against PYTHON] [--rounds 5] [--quick] [--json OUT]

Each round runs `cmsn run` as it is, whose CPU time is the whole, and once more with its parts timed (`cost_worker`),
for the demo and the cctv bundle and for the paper's network at full width. PYTHON is an interpreter with another
version of cmsn: both take turns, and ratios are those of each round. Shares are of CPU time, of the whole process and
of its steady part: from the first frame until all is flushed. "rest" is what no part counts: the hand-over from the
decoder's thread, mostly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import click
import numpy as np

from cmsn_benchmarks.gpu.network import network_bundle
from cmsn_benchmarks.run_facts import run_facts
from cmsn_benchmarks.speed import cost_worker
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import encode_video, render_streams

_FPS = 25
_NETWORKS = (*cost_worker.NETWORKS, cost_worker.NETWORK_THREADS)
# Compiled modules are kept, as anywhere: without them each start compiles this package again, 0.04 s.
_NOT_OF_A_USER = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
_GRAIN = 7  # of a camera's sensor, in levels: without it an enlarged picture compresses to nothing

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """What is run. options: of `cmsn run`."""

    name: str
    clip: Path
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of cmsn. python: its interpreter. caches: folder for its compiled kernels."""

    name: str
    python: str
    caches: Path

    def figures(self, case: Case) -> Figures:
        """CPU seconds of the whole and of its parts, and shares of what is not a network."""
        whole = self._cpu_seconds(["-m", "cmsn_runtime", *_arguments(case)])
        found = self._parts(case)
        phases, parts = found["phases"], found["parts"]
        networks = sum(parts.get(name, 0.0) for name in _NETWORKS)
        steady = phases["steady"]
        figures = {"whole": whole, **{f"start.{name}": seconds for name, seconds in phases.items() if name != "steady"}}
        figures |= {f"steady.{name}": seconds for name, seconds in sorted(parts.items())}
        return figures | {
            "steady.rest": steady - sum(parts.values()),
            "steady": steady,
            "not_networks": whole - networks,
            "not_networks_steady": steady - networks,
            "share_of_whole": 1 - networks / whole,
            "share_of_steady": 1 - networks / steady,
        }

    def _parts(self, case: Case) -> dict[str, dict[str, float]]:
        text = Path(cost_worker.__file__).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "parts.json"
            self._cpu_seconds(["-c", text, str(out), *_arguments(case)])
            found: dict[str, dict[str, float]] = json.loads(out.read_text(encoding="utf-8"))
        return found

    def _cpu_seconds(self, arguments: list[str]) -> float:
        plain = {name: value for name, value in os.environ.items() if name not in _NOT_OF_A_USER}
        caches = dict.fromkeys(("NUMBA_CACHE_DIR", "CMSN_CACHE_DIR", "PYTHONPYCACHEPREFIX"), str(self.caches))
        environment = {**plain, **caches}
        child = subprocess.Popen([self.python, *arguments], env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise SystemExit(f"{self.name}: `cmsn run` exited with {child.returncode}")
        return usage.ru_utime + usage.ru_stime


def enlarged(clip: Path, out: Path, *, size: tuple[int, int], frames: int) -> Path:
    """The first frames of a clip as a camera of that size films them, with grain. size: (width, height)."""
    width, height = size
    rng = np.random.default_rng(0)
    grain = [rng.integers(-_GRAIN, _GRAIN + 1, (height, width, 3), dtype=np.int16) for _ in range(5)]

    def pictures() -> Iterable[np.typing.NDArray[np.uint8]]:
        with av.open(str(clip)) as container:
            for number, frame in enumerate(islice(container.decode(video=0), frames)):
                picture = frame.reformat(width, height, "rgb24", interpolation="BICUBIC").to_ndarray()
                yield np.clip(picture + grain[number % len(grain)], 0, 255).astype(np.uint8)

    encode_video(out, pictures(), size=size, fps=RenderSettings().fps)
    return out


def cases(folder: Path, *, seconds: float, full_seconds: float, backend: str) -> list[Case]:
    """A rendered clip for the bundles of the wheel, larger films as cameras have them, and the paper's network."""
    render_streams(folder, RenderSettings(seconds=seconds, seed=11), streams=1)
    small = next(folder.glob("*.mp4"))
    frames, full_frames = (round(length * _FPS) for length in (seconds, full_seconds))
    large = enlarged(small, folder / "720p.mp4", size=(1280, 720), frames=frames)
    medium = enlarged(small, folder / "480p.mp4", size=(640, 480), frames=full_frames)
    full = network_bundle(folder / "paper.cmsn", width=1.0)
    return [
        Case(f"demo, 160x120, {seconds:g} s", small, ("--bundle", "demo", "--backend", backend)),
        Case(f"cctv, 160x120, {seconds:g} s", small, ("--bundle", "cctv", "--backend", backend)),
        Case(f"demo, 1280x720, {seconds:g} s", large, ("--bundle", "demo", "--backend", backend)),
        Case(f"full width, 640x480, {full_seconds:g} s", medium, ("--bundle", str(full), "--backend", backend)),
    ]


@click.command()
@click.option("--against", metavar="PYTHON", help="An interpreter with another version of cmsn.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Number of turns of each version.")
@click.option("--seconds", default=60.0, show_default=True, help="Length of the clips.")
@click.option("--full-seconds", default=60.0, show_default=True, help="Length of the clip at full width.")
@click.option("--backend", default="onnxruntime", show_default=True, help="What runs the networks.")
@click.option("--quick", is_flag=True, help="Short clips and one round, to try it.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(
    against: str | None,
    rounds: int,
    seconds: float,
    full_seconds: float,
    backend: str,
    quick: bool,
    output: Path | None,
) -> None:
    """Make the clips, run the versions on them in turns, compare."""
    facts = run_facts()
    if quick:
        rounds, seconds, full_seconds = 1, 10.0, 4.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        versions = [Version("this", sys.executable, folder / "this")]
        if against:
            versions.append(Version("other", against, folder / "other"))
        found = {
            case.name: _in_turns(versions, case, rounds)
            for case in cases(folder, seconds=seconds, full_seconds=full_seconds, backend=backend)
        }
    report = {
        **facts,
        "rounds": rounds,
        "backend": backend,
        "cases": found,
    }
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _in_turns(versions: list[Version], case: Case, rounds: int) -> dict[str, object]:
    for version in versions:
        version.figures(case)  # fills its caches
    turns = [{version.name: version.figures(case) for version in versions} for _ in range(rounds)]
    report: dict[str, object] = {version.name: _spread([turn[version.name] for turn in turns]) for version in versions}
    if len(versions) > 1:
        ratios = [{name: turn["other"][name] / turn["this"][name] for name in _COMPARED} for turn in turns]
        report["other_over_this"] = _spread(ratios)
    return report


_COMPARED = ("whole", "steady", "not_networks", "not_networks_steady")


def _arguments(case: Case) -> list[str]:
    return ["run", str(case.clip), "--quiet", "--csv", os.devnull, *case.options]


def _spread(turns: list[Figures]) -> Mapping[str, Mapping[str, float]]:
    """Median, least and most of each figure."""
    names = list(dict.fromkeys(name for turn in turns for name in turn))
    report = {}
    for name in names:
        values = np.array([turn.get(name, 0.0) for turn in turns])
        kinds = (("median", np.median(values)), ("least", values.min()), ("most", values.max()))
        report[name] = {kind: float(f"{value:.4g}") for kind, value in kinds}
    return report


if __name__ == "__main__":
    main()
