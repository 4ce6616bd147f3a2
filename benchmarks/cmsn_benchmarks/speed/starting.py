"""What a start of the demo costs, by part: CPU seconds, wall seconds and memory, against another version in turns.

    python -m cmsn_benchmarks.speed.starting [--against PYTHON] [--rounds 7] [--json OUT]

PYTHON is an interpreter with another version of cmsn. Caches of compiled code are filled, unless a row says "empty".
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from cmsn_benchmarks.device.facts import machine_facts

BACKENDS = ("onnxruntime", "openvino")

# Runs on any version of cmsn: it uses only what all of them have. argv: backend. Prints one JSON object.
_WORKER = """
import resource, sys, time
parts, last = {}, [0.0, time.perf_counter()]
def mark(name):
    cpu, wall = time.process_time(), time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parts[name] = {"cpu": cpu - last[0], "wall": wall - last[1], "peak_megabytes": peak}
    last[:] = time.process_time(), time.perf_counter()
mark("interpreter")
import os
os.environ.setdefault("OPENBLAS_NUM_THREADS", sys.argv[2])
from fractions import Fraction
import av, numpy
import cmsn_runtime as cmsn
from cmsn_runtime.bundle import open_bundle
mark("imports")
bundle = open_bundle(backend=sys.argv[1])
mark("opening")
stream = bundle.stream()
mark("warming")
height, width = bundle.preprocessing.resize
picture = numpy.zeros((height, width, 3), numpy.uint8)
for number in range(2 * bundle.grid.stride):
    stream.push(cmsn.Frame(picture, Fraction(number, 25)))
mark("first hops")
total = {name: sum(part[name] for part in parts.values()) for name in ("cpu", "wall")}
parts["whole"] = {**total, "peak_megabytes": parts["first hops"]["peak_megabytes"]}
import json
print(json.dumps(parts))
"""

Parts = dict[str, dict[str, float]]


def started(python: str, backend: str, cache: Path, *, blas_threads: int) -> Parts:
    """One start in a process of its own -> part -> cpu, wall (seconds), peak_megabytes (at its end)."""
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OPENBLAS_NUM_THREADS")}
    environment = {**plain, "NUMBA_CACHE_DIR": str(cache), "CMSN_CACHE_DIR": str(cache)}
    command = [python, "-c", _WORKER, backend, str(blas_threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr.strip().splitlines()[-1]}")
    found: Parts = json.loads(done.stdout)
    return found


def summary(turns: list[dict[str, Parts]]) -> dict[str, object]:
    """Medians of each version by part, and of the ratios of each round, with their spread."""
    report: dict[str, object] = {
        version: {
            part: {key: round(statistics.median(turn[version][part][key] for turn in turns), 4) for key in figures}
            for part, figures in turns[0][version].items()
        }
        for version in turns[0]
    }
    if "other" in turns[0]:
        for key in ("cpu", "wall", "peak_megabytes"):
            ratios = [turn["other"]["whole"][key] / turn["this"]["whole"][key] for turn in turns]
            spread = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
            report[f"other_over_this_{key}"] = {name: round(value, 3) for name, value in spread.items()}
    return report


@click.command()
@click.option("--against", metavar="PYTHON", help="An interpreter with another version of cmsn.")
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1), help="Number of turns of each.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(against: str | None, rounds: int, output: Path | None) -> None:
    """Start both versions in turns, first with empty caches."""
    # `cmsn run` of this version lets NumPy start one thread; earlier ones had one per core.
    versions = {"this": (sys.executable, 1), **({"other": (against, os.cpu_count() or 1)} if against else {})}
    report: dict[str, object] = {"machine": machine_facts(), "rounds": rounds}
    with tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            turns = [
                {
                    name: started(python, backend, Path(folder, backend, name), blas_threads=threads)
                    for name, (python, threads) in versions.items()
                }
                for _ in range(rounds + 1)
            ]
            report[f"{backend}, empty caches"] = summary(turns[:1])
            report[backend] = summary(turns[1:])
    text = json.dumps(report, indent=2)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
