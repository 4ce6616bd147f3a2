"""The sections of the page, in order."""

from __future__ import annotations

from pathlib import Path

from cmsn_benchmarks.device.report_file import read_report
from cmsn_benchmarks.device.wording import worded
from cmsn_benchmarks.pages.calibration import calibration_lines
from cmsn_benchmarks.pages.growth import growth_lines
from cmsn_benchmarks.pages.markdown import Json, figure, flat_table, mapping, table, ways_tables
from cmsn_benchmarks.pages.section import Section


def backends_lines(_: Path, found: Json) -> list[str]:
    """The extractor alone, two cameras, whole streams."""
    kinds = {
        "extractor_8_frames": "The extractor, 8 frames a call",
        "two_cameras_on_openvino": "Two cameras on OpenVINO, one after the other or at the same time",
        "whole_stream": "A whole stream of a file, decoding and proposals included",
    }
    lines: list[str] = []
    for kind, title in kinds.items():
        for bundle, ways in mapping(found.get(kind)).items():
            lines += ways_tables(mapping(ways), title=f"{title}: {bundle}")
    return lines


def any_lines(_: Path, found: Json) -> list[str]:
    """Groups of ways where there are any, otherwise every figure."""
    return ways_tables(found) or flat_table(found)


_PEERS_TITLES = {
    "ratios": "How many times as fast",
    "state_work": "What the states add to a call, by OpenVINO's profile",
    "notes": "To be known",
    "left_out": "Left out",
}


def peers_lines(_: Path, found: Json) -> list[str]:
    """A table for each schedule, the ratios, and what was left out with the reason."""
    lines = ways_tables(found)
    for name, title in _PEERS_TITLES.items():
        rest = mapping(found.get(name))
        lines += [f"**{title}**", "", *flat_table(rest)] if rest else []
    return lines


def bench_lines(path: Path, _: Json) -> list[str]:
    """The figures of `cmsn bench` that decide about a device, by backend."""
    report = read_report(path)
    backends = report.backends
    rows = [
        ["live cameras at their own rate", *(worded(getattr(b.sustained, "most", None), "cameras") for b in backends)],
        ["frames per second, one stream", *(worded(_rate(b.single_stream), "fps") for b in backends)],
        ["one hop, 90th percentile", *(worded(_percentile(b.single_stream, 90), "ms") for b in backends)],
        ["several cameras, 99th percentile", *(worded(_percentile(b.multi_stream, 99), "ms") for b in backends)],
        ["time to the first result", *(worded(getattr(b.first_result, "total", None), "s") for b in backends)],
        ["memory, peak", *(worded(getattr(b.memory, "host_peak", None), "MB") for b in backends)],
        ["share of the machine's limit", *(worded(_share(b.roofline), "share") for b in backends)],
        ["error of features", *(figure(b.error) for b in backends)],
    ]
    return [f"**{report.bundle.name}**", "", *table(["", *(b.asked for b in backends)], rows)]


def cost_lines(_: Path, found: Json) -> list[str]:
    """What is not a network, and the parts of the steady state."""
    cases = {name: mapping(mapping(case).get("this")) for name, case in mapping(found.get("cases")).items()}
    headings = ["CPU seconds", "the whole", "not networks", "share of the whole", "share once running"]
    names = ("whole", "not_networks", "share_of_whole", "share_of_steady")
    lines = table(headings, [[case, *(figure(parts.get(name)) for name in names)] for case, parts in cases.items()])
    parts = list(dict.fromkeys(name for case in cases.values() for name in case if name.startswith("steady.")))
    rows = [
        [name.removeprefix("steady."), *(figure(mapping(case.get(name)).get("median")) for case in cases.values())]
        for name in parts
    ]
    return [*lines, *table(["once running, CPU seconds", *cases], rows)]


def cameras_lines(_: Path, found: Json) -> list[str]:
    """Each load that was tried."""
    loads = found.get("loads")
    rows = []
    for load in map(mapping, loads if isinstance(loads, list) else []):
        cores, cameras = load.get("cores"), load.get("cameras")
        each = cores / cameras if isinstance(cores, float) and isinstance(cameras, int) else None
        figures = (cores, each, load.get("lag_p99"), load.get("frames_per_second"), load.get("overloads"))
        rows.append([figure(cameras), *map(figure, figures)])
    headings = ["cameras", "cores", "cores per camera", "lag, 99 %, at most, s", "frames/s each", "overloads"]
    if not rows:
        return flat_table(found)
    return [f"Most that fit: **{figure(found.get('most_that_fit'))} cameras**.", "", *table(headings, rows)]


def memory_lines(_: Path, found: Json) -> list[str]:
    """Peak memory by length."""
    peaks = mapping(found.get("peak_megabytes_by_minutes"))
    return table(["minutes of video", "peak, MB"], [[minutes, figure(peak)] for minutes, peak in peaks.items()])


def _rate(scenario: object) -> float | None:
    return getattr(scenario, "frames_per_second", None)


def _percentile(scenario: object, percent: int) -> float | None:
    return getattr(getattr(scenario, "latency", None), f"p{percent}", None)


def _share(roofline: object) -> float | None:
    return getattr(mapping(getattr(roofline, "networks", None)).get("whole"), "share", None)


SECTIONS = (
    Section(
        title="Reports of `cmsn bench`",
        files="bench_*.json",
        command="cmsn bench BUNDLE --json benchmarks/results/bench_BUNDLE.json",
        meaning="What a device does with a bundle, as everyone can measure it at home: cameras that "
        "it keeps up with, how "
        "long a hop takes, how soon the first result comes, and memory.",
        body=bench_lines,
    ),
    Section(
        title="The extractor on what runs it",
        files="backends.json",
        command="python -m cmsn_benchmarks.speed.backends --json benchmarks/results/backends.json",
        meaning="Nearly all work at full width is the extractor's. `times as fast` and `times as "
        "little cpu` are ratios "
        "to the first line, of the same round; in brackets the least and the most of all rounds.",
        body=backends_lines,
    ),
    Section(
        title="What INT8 costs",
        files="calibration.json",
        command="python -m cmsn_benchmarks.quality.calibration CCTV --json benchmarks/results/calibration.json",
        meaning="Each precision of the bundles in the wheel on streams that nothing was chosen on, against FP32 on "
        "ONNX Runtime; `int8` has all layers but the first in INT8, `mix` what the wheel has where that lost too much.",
        body=calibration_lines,
    ),
    Section(
        title="Other ways to do the same work",
        files="peers.json",
        command="python -m cmsn_benchmarks.peers --json benchmarks/results/peers.json",
        meaning="The same frames and weights through other libraries and other schedules, in turns within one run. A "
        "window of 768 frames advances by 384, which are its new frames. `times as fast` is against plain torch in "
        "windows, with two cameras against the first line.",
        body=peers_lines,
    ),
    Section(
        title="Where the CPU time of a file goes",
        files="cost*.json",
        command="python -m cmsn_benchmarks.speed.cost --json benchmarks/results/cost.json",
        meaning="The networks are what must be computed; everything else is overhead: at most 0.35 "
        "of the CPU time with "
        "the small bundles and 0.05 at full width is the goal.",
        body=cost_lines,
    ),
    Section(
        title="How many live cameras",
        files="*cameras*.json",
        command="python -m cmsn_benchmarks.live.cameras --bundle BUNDLE --search --json FILE",
        meaning="Cameras of 25 frames per second, each captured and decoded by a process of its own. "
        "They fit as long as "
        "nothing is left out and 99 of 100 frames are processed within half a second. Cores are CPU "
        "seconds per second.",
        body=cameras_lines,
    ),
    Section(
        title="How cost grows",
        files="growth.json",
        command="python -m cmsn_benchmarks.growth --json benchmarks/results/growth.json",
        meaning="Each cost is fitted as base + rate × size^exponent, by least squares over relative "
        "errors; the exponent has "
        "a 95 % interval. 1 is proportional, 0 constant. Where the curve is more than 10 % off a "
        "median, the cost grows as "
        "no power, and the exponent says little.",
        body=growth_lines,
    ),
    Section(
        title="Memory of a file",
        files="memory.json",
        command="python -m cmsn_benchmarks.speed.memory --json benchmarks/results/memory.json",
        meaning="Peak resident memory of `cmsn run`: a long video takes no more than a short one.",
        body=memory_lines,
    ),
    Section(
        title="Arm (aarch64)",
        files="aarch64.json",
        command="make test-aarch64",
        meaning="The wheels of a Jetson or a Raspberry Pi, run under emulation: this shows that they "
        "work, not how fast.",
        body=any_lines,
    ),
    Section(
        title="GPU",
        files="gpu*.json",
        command="make gpu",
        meaning="One GPU, by the tests and measurements that [docs/gpu-testing.md](gpu-testing.md) describes.",
        body=any_lines,
    ),
)
