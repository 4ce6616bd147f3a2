"""Runs `cmsn run`, `cmsn bench` and tests on an emulated Arm and compares (scripts/test-aarch64 makes it).

    python -m cmsn_benchmarks.aarch64 PYTHON [--quick] [--clip VIDEO]... [--json OUT] [PYTEST-ARGUMENT]...

PYTHON is that of the other machine. Ends with status 1 where events differ, scores are more than 1e-3 apart, or
`cmsn bench` or a test fails. Times under emulation say nothing about a device.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from cmsn_benchmarks.aarch64.events import EventsCompared, run_on_both
from cmsn_benchmarks.aarch64.suite import SuiteRun, run_tests
from cmsn_benchmarks.demo import rendered_clip
from cmsn_benchmarks.device.facts import machine_facts
from cmsn_training.rendering.settings import RenderSettings

BUNDLES = ("demo", "cctv")
_BACKENDS = ("onnxruntime", "openvino", "openvino-fp16", "auto")
# Where processors could differ: pictures, numba's kernels, the networks.
_QUICK_TESTS = ("pictures", "proposing", "sources/test_video_pictures.py", "backends/onnxruntime")
_SEED = 42
_FACTS = """
import json
from importlib.metadata import version
from cmsn_benchmarks.device.facts import machine_facts
facts = machine_facts()
print(json.dumps({**facts, "libraries": {**facts["libraries"], **{n: version(n) for n in ("av", "llvmlite")}}}))
"""


@click.command()
@click.argument("there", metavar="PYTHON", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("tests", metavar="[PYTEST-ARGUMENT]...", nargs=-1)
@click.option("--quick", is_flag=True, help="ONNX Runtime and a few tests only.")
@click.option(
    "--clip", "clips", multiple=True, type=click.Path(exists=True, path_type=Path), help="[a rendered clip of 20 s]"
)
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(there: Path, tests: tuple[str, ...], quick: bool, clips: tuple[Path, ...], output: Path | None) -> None:
    """Compare events, then run the tests."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = clips or (rendered_clip(Path(folder), RenderSettings(seed=_SEED, seconds=20.0)),)
        events = [
            each
            for clip in chosen
            for bundle in BUNDLES
            for each in _compared(there, clip, bundle, quick=quick, caches=Path(folder))
        ]
    bench = None if quick else _bench_runs(there)
    suite = run_tests(there, tests or _tests(quick=quick), workers=2)
    if output is not None:
        output.write_text(json.dumps(_report(there, events, suite, bench=bench), indent=1) + "\n", encoding="utf-8")
    if suite.failed or bench is False or not all(each.holds for each in events):
        sys.exit(1)


def _compared(there: Path, clip: Path, bundle: str, *, quick: bool, caches: Path) -> list[EventsCompared]:
    backends = _BACKENDS[:1] if quick else _BACKENDS
    found = run_on_both(there, clip, bundle=bundle, backends=backends, caches=caches)
    for each in found:
        click.echo(each.line())
        sys.stdout.flush()
    return found


def _tests(*, quick: bool) -> list[str]:
    return [f"tests/runtime/{name}" for name in (_QUICK_TESTS if quick else ("",))]


def _bench_runs(there: Path) -> bool:
    """Whether `cmsn bench` ends well; its figures, of an emulation, are thrown away."""
    command = [str(there), "-m", "cmsn_runtime", "bench", "demo", "--quick", "--backend", "onnxruntime"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ended = done.returncode == 0
    click.echo("cmsn bench demo --quick: " + ("runs" if ended else f"FAILED\n{done.stderr.strip()}"))
    return ended


def _report(there: Path, events: list[EventsCompared], suite: SuiteRun, *, bench: bool | None) -> dict[str, object]:
    facts = subprocess.run([str(there), "-c", _FACTS], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {
        "emulated": json.loads(facts),
        "here": machine_facts(),
        "events": [asdict(each) for each in events],
        "bench_runs": bench,
        "tests": asdict(suite),
    }


if __name__ == "__main__":
    main()
