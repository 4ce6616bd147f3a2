"""Measures the GPU stacks of this machine: ceilings, the extractor for 1 to 64 cameras, a whole hop, minutes of load.

    python -m cmsn_benchmarks.gpu [--json OUT] [--cameras 1,2,4] [--parts torch,ort,tensorrt,extractor,hop]

`--parts` names stacks and what is timed on them: the extractor and the hop where it names only stacks. All
ways that are compared take turns within one run. `--device cpu --width 0.125` tries the program without a GPU; its
figures are meaningless. Where torch and TensorRT are in different environments, make the network's bundle with one
(`--bundle FOLDER.cmsn --parts ""`) and measure with both. `--timing-cache FILE` shortens the builds of later runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from cmsn_benchmarks.device.costs import bundle_costs
from cmsn_benchmarks.device.facts import machine_facts
from cmsn_benchmarks.gpu.ceilings import gpu_ceilings, product_tflops
from cmsn_benchmarks.gpu.endurance import endure
from cmsn_benchmarks.gpu.extractor import CHUNK_FRAMES, Plan, close_ways, open_ways, plan_for, time_cameras
from cmsn_benchmarks.gpu.hops import time_hops
from cmsn_benchmarks.gpu.network import network_bundle
from cmsn_benchmarks.gpu.opening import RunnerName, build_all, on_torch, open_on
from cmsn_benchmarks.gpu.report import Report
from cmsn_benchmarks.gpu.stacks import Stack, StackName, find_stacks
from cmsn_runtime.backends.base import Arithmetic
from cmsn_runtime.bundle import Bundle
from cmsn_runtime.bundle_files import read_graph, read_manifest
from cmsn_runtime.errors import CmsnError
from cmsn_runtime.manifest.contents import FULL_PRECISION

TIMED = ("extractor", "hop", "batches", "endurance")
PARTS = ("torch", "ort", "tensorrt", *TIMED)
_USUAL = frozenset({"extractor", "hop"})
_NEEDS: dict[str, StackName] = {"torch": "torch", "ort": "ort-cuda", "tensorrt": "builder"}
_RUNNERS: dict[str, RunnerName] = {"torch": "torch", "ort": "ort-cuda", "tensorrt": "tensorrt"}


def numbers(context: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
    """Whole numbers above 0 with commas between them. Raises BadParameter."""
    try:
        found = tuple(int(part) for part in value.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise click.BadParameter(f"{value!r} was given; give numbers above 0 such as 1,2,4", context, option)
    return found


@click.command()
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures here, after each part.")
@click.option("--cameras", callback=numbers, default="1,2,4,8,16,32,64", show_default=True)
@click.option("--width", default=1.0, show_default=True, help="Width of the network; 1.0 is the paper's.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--seconds-each", default=4.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--endurance-seconds", default=600.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option(
    "--parts",
    default=",".join(PARTS),
    show_default=True,
    help="Stacks, and what to time on them (default: extractor and hop); an empty value only makes the bundle.",
)
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle of the network; made where it does not exist.")
@click.option("--compile/--no-compile", "compiled", default=None, help="Also time torch.compile; on CUDA by default.")
@click.option("--side", type=click.IntRange(16), help="Side of the ceiling's matrices; 8192, on the CPU 512.")
@click.option("--level", type=click.IntRange(0, 5), help="TensorRT's builder optimisation level.")
@click.option(
    "--timing-cache",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of measured kernels, read and written; by default one for this run.",
)
def main(
    output: Path | None,
    cameras: tuple[int, ...],
    width: float,
    device: str,
    seconds_each: float,
    endurance_seconds: float,
    parts: str,
    bundle: Path | None,
    compiled: bool | None,
    side: int | None,
    level: int | None,
    timing_cache: Path | None,
) -> None:
    """Measure, and write the report after each part."""
    wanted = frozenset(filter(None, parts.split(",")))
    if not wanted <= set(PARTS):
        raise click.BadParameter(f"{', '.join(sorted(wanted - set(PARTS)))}; the known parts are {', '.join(PARTS)}")
    if wanted and not wanted & set(_NEEDS):
        raise click.BadParameter(f"{', '.join(sorted(wanted))} needs a stack; add some of {', '.join(_NEEDS)}")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        try:
            network = network_bundle(bundle or work / "network.cmsn", width=width)
        except CmsnError as error:
            raise click.ClickException(str(error)) from error
        if not wanted:
            return
        stacks = find_stacks()
        plan = Plan(
            bundle=network,
            parts=usable(wanted, stacks, device),
            device=device,
            seconds_each=seconds_each,
            compiled=device == "cuda" if compiled is None else compiled,
            level=level,
            cache=timing_cache or work / "timing.cache",
        )
        report = Report(output)
        report.add("machine", machine_facts())
        report.add("stacks", {name: {"found": stack.found, "about": stack.about} for name, stack in stacks.items()})
        found = {name for name, stack in stacks.items() if stack.found}
        side = side or (8192 if device == "cuda" else 512)
        report.add("ceilings", attempted(report, "ceilings", lambda: gpu_ceilings(found, device=device, side=side)))
        report.add("network", describe_network(plan))
        timed = wanted & set(TIMED) or _USUAL
        if timed & {"extractor", "endurance"}:  # endurance runs the extractor's fastest way
            measure_extractor(plan, cameras, report)
        if "hop" in timed:
            measure_hop(plan, report, work / "engines")
        if "batches" in timed:
            measure_batches(plan, cameras, report, work / "batched-engines")
        if "endurance" in timed:
            measure_endurance(plan, report, endurance_seconds)


def usable(wanted: frozenset[str], stacks: dict[StackName, Stack], device: str) -> frozenset[str]:
    """The stacks among the parts that work on this machine. Raises ClickException where none does."""
    here = {part for part, need in _NEEDS.items() if stacks[need].found}
    if device == "cpu":
        here |= {"ort"} | ({"torch"} if find_spec("torch") else set())
    if not wanted & here:
        reasons = "".join(f"\n  {part}: {stacks[need].about}" for part, need in _NEEDS.items())
        raise click.ClickException(
            f"none of the requested stacks works on this machine; see docs/gpu-testing.md, or try --device cpu{reasons}"
        )
    return wanted & here


def attempted(report: Report, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of `measure`; None and a note where it fails: a fault of one part must not affect the others."""
    try:
        return measure()
    except Exception as error:  # whatever a library raises
        report.note(f"{name}: {type(error).__name__}: {error}")
        return {}


def measure_extractor(plan: Plan, cameras: tuple[int, ...], report: Report) -> None:
    """Time every number of cameras, and compare with the ceilings and the arithmetic in the report."""
    for count in cameras:
        result = time_cameras(
            plan,
            count,
            operations=report.results["network"]["operations_per_hop"]["extractor"],
            ceiling_tflops=product_tflops(report.results["ceilings"]),
            tell=report.note,
        )
        report.append("extractor", result)


def describe_network(plan: Plan) -> dict[str, Any]:
    """Sizes, and operations of matrix products of one camera's hop, counted from the graphs alone.

    stages: over a full window. proposal: the PES per candidate. state_bytes: one copy of the state on GPUs.
    """
    manifest = read_manifest(plan.bundle)
    arithmetic = Arithmetic(library="tensorrt", device="cuda", variant=FULL_PRECISION)
    costs = bundle_costs(manifest, partial(read_graph, plan.bundle), arithmetic)
    products = {name: sum(cost.products.values()) for name, cost in costs.items()}
    return {
        "width": manifest.network.width,
        "crop": list(manifest.input_shape),
        "operations_per_hop": {
            "extractor": products["extractor"],
            "extractor_layers": costs["extractor"].layers,
            "stages": products["stages"],
            "proposal": products["evaluator"],
        },
        "state_bytes_per_camera": sum(state.nbytes for state in manifest.state_tensors(manifest.gpu_precision)),
    }


def measure_hop(plan: Plan, report: Report, engines: Path) -> None:
    """Time one camera, from frame to proposal, on each stack."""

    def on(part: str) -> dict[str, Any]:
        with _opened(part, plan, engines) as bundle:
            return {"backend": bundle.backend.name, **time_hops(bundle, 1, seconds=plan.seconds_each)}

    results = {part: attempted(report, f"hop on {part}", partial(on, part)) for part in sorted(plan.parts)}
    report.add("hop", {part: result for part, result in results.items() if result})


def measure_batches(plan: Plan, cameras: tuple[int, ...], report: Report, engines: Path) -> None:
    """Time hops of many cameras through the backend, on each stack; TensorRT's engines take the most at once."""

    def on(part: str) -> dict[str, Any]:
        with _opened(part, plan, engines, cameras=max(cameras)) as bundle:
            hops = [time_hops(bundle, count, seconds=plan.seconds_each) for count in cameras]
            return {"backend": bundle.backend.name, "hops": hops}

    results = {part: attempted(report, f"batches on {part}", partial(on, part)) for part in sorted(plan.parts)}
    report.add("batches", {part: result for part, result in results.items() if result})


def measure_endurance(plan: Plan, report: Report, seconds: float) -> None:
    """Run the fastest way at its best number of cameras for minutes."""
    best = max(
        (
            (ways["frames_per_second"], result["cameras"], name)
            for result in report.results["extractor"]
            for name, ways in result["ways"].items()
        ),
        default=None,
    )
    if best is None:
        report.note("endurance: no way of the extractor ran, so none could be run for longer")
        return
    _, cameras, name = best
    ways = open_ways(plan_for(plan, name), cameras, report.note)

    def run() -> dict[str, Any]:
        return endure(ways[name], frames=CHUNK_FRAMES * cameras, seconds=seconds)

    try:
        report.add("endurance", {"cameras": cameras, **attempted(report, "endurance", run)})
    finally:
        close_ways(ways)


def _opened(part: str, plan: Plan, engines: Path, *, cameras: int = 1) -> Bundle:
    if part == "tensorrt":
        build_all(plan.bundle, engines, cameras=cameras, cache=plan.cache)
    if part == "torch":
        return on_torch(plan.bundle, device=plan.device)
    runner: RunnerName = "cpu" if plan.device == "cpu" and part == "ort" else _RUNNERS[part]
    return open_on(runner, plan.bundle, engines=engines)


if __name__ == "__main__":
    main()
