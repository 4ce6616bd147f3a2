"""Compares this project's streams with other libraries and other schedules on the same work.

    python -m cmsn_benchmarks.peers [--rounds 5] [--seconds 1] [--width 1.0] [--quick] [--only TEXT] [--json OUT]

First OpenVINO's profile says what the states add to a call. Then the features of each way are compared with those of
torch in FP32; what computes something else is left out. Then all take turns. A window of 768 frames counts as 384 new
frames, which is what it advances by. Every call has the same number of threads. At full width it takes about ten
minutes and 16 GB of memory.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path

import click
import torch

from cmsn_benchmarks.gpu.network import network_bundle
from cmsn_benchmarks.peers.measuring import in_turns, opened_peers
from cmsn_benchmarks.peers.report import Figures, report_of
from cmsn_benchmarks.peers.rows import CHUNKS, PLAIN, peers
from cmsn_benchmarks.peers.state_work import state_work
from cmsn_benchmarks.peers.way import Peer, Work
from cmsn_benchmarks.run_facts import run_facts
from cmsn_benchmarks.speed.backends import cache_of_its_own
from cmsn_runtime.backends.openvino.library import capabilities, processor
from cmsn_runtime.backends.openvino.precisions import BF16, FP32, Precision
from cmsn_runtime.backends.threads import cores


def measured(work: Work, chosen: list[Peer], *, profiled: bool, rounds: int, seconds: float) -> Figures:
    """The whole report. profiled: with what the states add to a call."""
    torch.set_num_threads(work.threads)
    torch.compiler.reset()  # otherwise it silently stops compiling after eight variants
    tell = partial(click.echo, err=True)
    facts = run_facts(processor=processor())
    states = {"state_work": state_work(work, _precisions(), CHUNKS, rounds=rounds)} if profiled else {}
    with opened_peers(chosen, work, tell) as found:
        turns = in_turns(found.opened, rounds=rounds, seconds=seconds, tell=tell)
        settings = {"rounds": rounds, "seconds": seconds, "threads": work.threads, "compared_with": PLAIN}
        return {**facts, **settings, **report_of(found, turns), **states}


def _precisions() -> list[Precision]:
    return [precision for precision in (FP32, BF16) if precision.capability in capabilities()]


@click.command()
@click.option("--width", default=1.0, show_default=True, help="Width of the untrained network; 1.0 is the paper's.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Number of turns of each.")
@click.option("--seconds", default=1.0, show_default=True, help="Least seconds of one turn; one call takes longer.")
@click.option("--quick", is_flag=True, help="An eighth of the width, two short rounds: to try it.")
@click.option("--only", multiple=True, help="Only ways whose name contains this; may be repeated.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here.")
def main(width: float, rounds: int, seconds: float, quick: bool, only: tuple[str, ...], output: Path | None) -> None:
    """Measure and print everything."""
    if quick:
        width, rounds, seconds = 0.125, 2, 0.1
    chosen = [peer for peer in peers() if not only or any(text in peer.name for text in only)]
    with tempfile.TemporaryDirectory() as folder, cache_of_its_own():
        bundle = network_bundle(Path(folder) / "paper.cmsn", width=width)
        found = measured(Work(bundle, cores()), chosen, profiled=not only, rounds=rounds, seconds=seconds)
    text = json.dumps({"width": width, **found}, indent=2)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
