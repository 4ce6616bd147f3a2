"""Peak memory of `cmsn run` on a short and on a long video: it must not grow with the length.

python -m cmsn_benchmarks.speed.memory [--bundle NAME.cmsn] [--minutes 1 --minutes 10] [--json OUT]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from cmsn_benchmarks.run_facts import run_facts
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.rendering.writer import render_streams


def peak_megabytes(command: list[str]) -> float:
    """Run a command -> its peak resident set size, as reported by the operating system."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} exited with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss / 1024


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Default: the one in the package.")
@click.option("--minutes", "lengths", multiple=True, default=(1.0, 10.0), show_default=True, type=float)
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(bundle: Path | None, lengths: tuple[float, ...], output: Path | None) -> None:
    """Render a video of each length, run the bundle on it, compare."""
    facts, peaks = run_facts(), dict[str, float]()
    with tempfile.TemporaryDirectory() as temporary:
        for minutes in lengths:
            folder = Path(temporary) / str(minutes)
            render_streams(folder, RenderSettings(seconds=60 * minutes, seed=5), streams=1)
            command = [sys.executable, "-m", "cmsn_runtime", "run", str(next(folder.glob("*.mp4")))]
            command += ["--results", str(folder / "results.json")]
            peaks[f"{minutes:g}"] = round(peak_megabytes(command + (["--bundle", str(bundle)] if bundle else [])), 1)
    values = list(peaks.values())
    report = {**facts, "peak_megabytes_by_minutes": peaks, "growth": round(values[-1] / values[0] - 1, 4)}
    click.echo(json.dumps(report, indent=2))
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
